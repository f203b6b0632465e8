"""A shard's file behind a URL (`s3://`, `gs://`, `hf://`, `https://` …), by way of fsspec.

Only ranges are ever asked for, so that a resume costs what is left and memory stays flat. Reading on makes the ranges
longer, up to `AHEAD_BYTES_MAX`; jumping makes them short again. What fails is asked for again a few times; then the
run stops with an error that says so: no row is lost, and a resume goes on where it was.

Credentials come from the environment alone (as each service's own tools take them), never from a URL: those end up
in `run.json`.
"""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import xxhash

from personastream.errors import BadInput, ConfigError, RunError, SourceDown, SourceRefused
from personastream.sources.input_file import CHANGED_HINT, InputFile, folder, size_problem

AHEAD_BYTES_MIN = 64 << 10
AHEAD_BYTES_MAX = 8 << 20
RETRY_WAITS_S = (0.3, 1.0, 3.0, 9.0)
"""Between attempts; the libraries below make some of their own."""
RETRY_S_MAX = 60.0
"""After this time there is no further attempt."""

_EDGE_BYTES = 64 << 10
_VERSIONS = ("ETag", "etag", "md5Hash", "content_md5", "xet_hash", "blob_id", "generation", "created")
"""What services call that which changes with the content; the first that there is counts."""
_DENIED = (401, 403)
_PASSING = (408, 425, 429)
_PACKAGES = {"gs": "gcsfs", "gcs": "gcsfs", "hf": "huggingface_hub", "abfs": "adlfs", "az": "adlfs"}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Remote:
    """One place behind a URL: the file system that serves it and the path there."""

    url: str
    system: Any
    path: str

    def call(self, function: Callable[[], T]) -> T:
        """What `function` returns. Raises `BadInput`, `SourceRefused`, or `SourceDown` once asking again is no use."""
        give_up_s = time.monotonic() + RETRY_S_MAX
        for wait_s in (*RETRY_WAITS_S, None):
            try:
                return function()
            except RunError:
                raise
            except Exception as error:  # of any of a dozen libraries
                final = _final(self.url, error)
                if final is not None:
                    raise final from error
                if wait_s is None or time.monotonic() > give_up_s:
                    hint = "When it answers again, run again with --resume."
                    raise SourceDown(f"{self.url}: cannot be read: {_shown(error)}", hint=hint) from error
            time.sleep(wait_s)
        raise AssertionError("the last attempt returns or raises")

    def info(self) -> Mapping[str, Any]:
        """What is known of the file now. Raises like `call`."""
        self.system.invalidate_cache(self.path)
        found: Mapping[str, Any] = self.call(lambda: self.system.info(self.path))
        return found

    def glob(self) -> list[str]:
        """The URLs that match, sorted. Raises like `call`."""
        found: list[str] = self.call(lambda: self.system.glob(self.path))
        return sorted(self.system.unstrip_protocol(path) for path in found)


def remote(url: str) -> Remote:
    """The place behind a URL; nothing is asked yet. Raises `ConfigError`."""
    protocol, _, rest = url.partition("://")
    if "::" in url:
        raise ConfigError(f"{url}: chained URLs are not read", hint="Name the file itself, as one URL.")
    if "@" in urlsplit(url).netloc:
        shown = f"{protocol}://…@{rest.rpartition('@')[2]}"
        raise ConfigError(
            f"{shown}: a URL must not hold credentials", hint="Put them into the environment, as its own tools do."
        )
    try:
        import fsspec
    except ImportError as error:
        raise ConfigError(f"{url}: URLs need fsspec", hint="pip install 'personastream[remote]'") from error
    try:
        system, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        package = _PACKAGES.get(protocol)
        hint = f"pip install {package}" if package else "pip install 'personastream[remote]'"
        raise ConfigError(f"{url}: {protocol}:// needs a package that is missing: {error}", hint=hint) from error
    except Exception as error:  # each file system has its own ways
        raise ConfigError(f"{url}: cannot be used: {error}", hint="s3://, gs://, hf://, https:// are usual.") from error
    return Remote(url, system, path)


class RemoteFile(InputFile):
    """A file that is read in ranges. Raises `BadInput`, `SourceRefused` or `SourceDown`."""

    def __init__(self, url: str, expected_bytes: int | None = None) -> None:
        self.path, self.position = url, 0
        self._remote = remote(url)
        self._info = dict(self._remote.info())
        self.identity = (type(self._remote.system).__name__, self._remote.path)
        if self._info.get("type") == "directory":
            raise folder(url)
        size = self._info.get("size")
        if not isinstance(size, int):
            raise BadInput(f"{url}: the server does not tell its size", hint="Download the file first.")
        self.size_bytes = size
        if (problem := size_problem(url, size, expected_bytes)) is not None:
            raise problem
        self._start, self._block = 0, b""
        self._ahead_bytes = AHEAD_BYTES_MIN

    def read_at(self, offset: int, count: int) -> bytes:
        count = max(0, min(count, self.size_bytes - offset))
        end = self._start + len(self._block)
        reads_on = self._start <= offset <= end
        if not reads_on or offset + count > end:
            self._ahead_bytes = min(2 * self._ahead_bytes, AHEAD_BYTES_MAX) if reads_on else AHEAD_BYTES_MIN
            rest = self._block[offset - self._start :] if reads_on else b""
            self._block = rest + self._fetch(offset + len(rest), max(count - len(rest), self._ahead_bytes))
            self._start = offset
        at = offset - self._start
        self.position = offset + count
        return self._block[at : at + count]

    def check_unchanged(self) -> None:
        now = self._remote.info()
        if now.get("size") != self.size_bytes or _version(now) != _version(self._info):
            raise BadInput(f"{self.path}: changed while being read", hint=CHANGED_HINT)

    def fingerprint(self) -> str:
        """xxh3_128 over the size and the service's own version of the content, or, without one, both ends."""
        state = xxhash.xxh3_128(str(self.size_bytes).encode())
        version = _version(self._info)
        if version is not None:
            state.update(version.encode())
        else:
            state.update(self.read_at(0, _EDGE_BYTES))
            state.update(self.read_at(max(0, self.size_bytes - _EDGE_BYTES), _EDGE_BYTES))
        return state.hexdigest()

    def close(self) -> None:
        self._block = b""

    def _fetch(self, start: int, count: int) -> bytes:
        end = min(start + count, self.size_bytes)
        if start >= end:
            return b""
        return self._remote.call(lambda: self._range(start, end))

    def _range(self, start: int, end: int) -> bytes:
        data: bytes = self._remote.system.cat_file(self._remote.path, start=start, end=end)
        if len(data) == end - start:
            return data
        if len(data) > end - start:
            hint = "Download the file first: this server does not serve ranges."
            raise BadInput(f"{self.path}: {len(data)} bytes came for a range of {end - start}", hint=hint)
        raise OSError(f"only {len(data)} of {end - start} bytes came from byte {start}")


def _version(info: Mapping[str, Any]) -> str | None:
    return next((f"{key} {info[key]}" for key in _VERSIONS if info.get(key)), None)


def _final(url: str, error: Exception) -> RunError | None:
    """What an error means if asking again cannot help."""
    status = _status(error)
    if isinstance(error, FileNotFoundError) or status == 404:
        return BadInput(f"{url}: there is no such file", hint="Check `paths` in [source].")
    if isinstance(error, PermissionError) or status in _DENIED or _lacks_credentials(error):
        hint = "Credentials are taken from the environment, as the service's own tools take them."
        return SourceRefused(f"{url}: may not be read: {_shown(error)}", hint=hint)
    if status is not None and 400 <= status < 500 and status not in _PASSING:
        return BadInput(f"{url}: is refused: {_shown(error)}", hint="Check `paths` in [source].")
    return None


def _status(error: Exception) -> int | None:
    """The HTTP status that an error of any library tells, if it does."""
    response = getattr(error, "response", None)
    candidates = (getattr(error, "status", None), getattr(error, "code", None), getattr(response, "status_code", None))
    return next((each for each in candidates if isinstance(each, int)), None)


def _lacks_credentials(error: Exception) -> bool:
    botocore = sys.modules.get("botocore.exceptions")
    return botocore is not None and isinstance(error, botocore.NoCredentialsError | botocore.PartialCredentialsError)


def _shown(error: Exception) -> str:
    words = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
