"""The service's folder: what lies where, who holds it, and how its small files are written.

    DIR/serve.toml            settings, optional
    DIR/token                 who shows it may command the service; made on the first start, readable by its owner alone
    DIR/lock                  held by the process that serves
    DIR/address               where it listens now, for `ctl`
    DIR/limits.json           what was changed live
    DIR/inbox/NAME.toml       dropped there to be submitted; what is no job goes to inbox/refused/
    DIR/jobs/NAME/job.toml    the configuration, as it was submitted
    DIR/jobs/NAME/job.json    what is wanted of the job (`wanted.py`)
    DIR/runs/NAME/            its output, unless it names another folder in DIR/runs

Law: `job.json` makes a folder a job, and is written last. Nothing here is believed without being looked at: the folder
may be a copy, or mended by hand.
"""

import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson

from personastream.config import CONFIG_BYTES_MAX
from personastream.errors import CannotCreate, ConfigError, CorruptOutput, NoRoom, StorageFailed
from personastream.launch.durable_file import replace_durably
from personastream.serve.wanted import Wanted, wanted_of
from personastream.sinks.disk import FULL

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
NAME_HINT = "Up to 64 of a-z, 0-9, dot, dash and underscore, beginning with a letter or a digit."
TOKEN_BYTES = 32
TOKEN_BYTES_MAX = 4096
SMALL_BYTES_MAX = 1 << 20
FOLDERS = ("inbox", "inbox/refused", "jobs", "runs")


def is_name(name: str) -> bool:
    """Whether a job may be called so. Such a name is one part of a path, and not hidden."""
    return NAME.fullmatch(name) is not None


class Root:
    """Paths, and what is read from and written to them. All methods block."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def make(self) -> None:
        """The folders, where they are missing. Raises `CannotCreate`."""
        try:
            for name in ("", *FOLDERS):
                (self.path / name).mkdir(mode=0o700 if not name else 0o750, parents=True, exist_ok=True)
        except OSError as error:
            raise CannotCreate(
                f"cannot create {error.filename}: {error.strerror}", hint="Choose another --root, or mend permissions."
            ) from error

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder, which the kernel gives back however the process ends. Raises `CannotCreate`."""
        try:
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        except OSError as error:
            raise CannotCreate(f"cannot open {self.path / 'lock'}: {error.strerror}") from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise CannotCreate(
                    f"another process serves {self.path}", hint="`personastream ctl state` asks it how it is."
                ) from error
            yield
        finally:
            os.close(descriptor)

    def token(self) -> str:
        """The token, made now if there is none. Raises `ConfigError` if others may read it, or it is none."""
        path = self.path / "token"
        with suppress(FileExistsError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            with open(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(TOKEN_BYTES) + "\n")
                file.flush()
                os.fsync(descriptor)
        return read_token(path)

    def job_names(self) -> list[str]:
        """All jobs there are; what is no job is passed over, such as one whose submission was cut short."""
        return sorted(path.parent.name for path in (self.path / "jobs").glob("*/job.json") if is_name(path.parent.name))

    def read_job(self, name: str) -> tuple[bytes, Wanted]:
        """(configuration, what is wanted of it). Raises `CorruptOutput`."""
        folder = self.path / "jobs" / name
        try:
            content = read_small(folder / "job.toml", CONFIG_BYTES_MAX)
            return content, wanted_of(orjson.loads(read_small(folder / "job.json", SMALL_BYTES_MAX)))
        except (OSError, ValueError) as error:
            raise CorruptOutput(
                f"{folder} is damaged: {error}", hint="Restore job.toml and job.json from a copy, or move it away."
            ) from error

    def add_job(self, name: str, content: bytes, wanted: Wanted) -> None:
        """A new job; durable on return. Raises `StorageFailed`."""
        folder = self.path / "jobs" / name
        with _told(folder):
            folder.mkdir(mode=0o750, exist_ok=True)
            replace_durably(folder / "job.toml", content)
            replace_durably(folder / "job.json", _json(wanted.document()))
            sync_folder(folder.parent)

    def remove_job(self, name: str) -> None:
        """It is no job any more; durable on return. Raises `StorageFailed`."""
        folder = self.path / "jobs" / name
        with _told(folder):
            (folder / "job.json").unlink(missing_ok=True)
            sync_folder(folder)
            shutil.rmtree(folder, ignore_errors=True)  # what is left of it is no job
            sync_folder(folder.parent)

    def write_wanted(self, name: str, wanted: Wanted) -> None:
        """Durable on return. Raises `StorageFailed`."""
        path = self.path / "jobs" / name / "job.json"
        with _told(path):
            replace_durably(path, _json(wanted.document()))

    def write_address(self, address: str) -> None:
        """Where we listen now, for `ctl`. Nothing else needs it, so that a full disk does no harm."""
        with suppress(OSError):
            replace_durably(self.path / "address", f"{address}\n".encode())

    def read_limits(self) -> dict[str, Any]:
        """What was changed live, empty if nothing was. Raises `CorruptOutput`."""
        path = self.path / "limits.json"
        try:
            document = orjson.loads(read_small(path, SMALL_BYTES_MAX))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise CorruptOutput(f"{path} is damaged: {error}", hint="Delete it to go on with serve.toml.") from error
        return document if isinstance(document, dict) else {}

    def write_limits(self, document: Mapping[str, Any]) -> None:
        """Durable on return. Raises `StorageFailed`."""
        path = self.path / "limits.json"
        with _told(path):
            replace_durably(path, _json(document))


def read_token(path: Path) -> str:
    """The token in a file. Raises `ConfigError`."""
    try:
        token = read_small(path, TOKEN_BYTES_MAX).decode("utf-8", "replace").strip()
        shared = path.stat().st_mode & 0o077
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror}",
            hint="The service makes it when it starts: if it is gone, restart it.",
        ) from error
    except ValueError as error:
        raise ConfigError(f"{path} is no token: {error}") from error
    if shared:
        raise ConfigError(
            f"{path} may be read by others",
            hint=f"chmod 600 {path}; or delete it and restart the service, which makes a new one.",
        )
    if len(token) < 16 or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError(f"{path} holds no token", hint="Delete it and restart the service, which makes a new one.")
    return token


def read_small(path: Path, bytes_max: int) -> bytes:
    """A regular file of at most so many bytes, not by way of a link. Raises `OSError` or `ValueError`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ValueError("it is a symbolic link, which is not followed") from error
        raise
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise ValueError("it is a folder" if stat.S_ISDIR(mode) else "it is no regular file")
    with open(descriptor, "rb") as file:
        content = file.read(bytes_max + 1)
    if len(content) > bytes_max:
        raise ValueError(f"it is larger than {bytes_max} bytes")
    return content


def sync_folder(folder: Path) -> None:
    """Make the names in it durable. Raises `OSError`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        failure = NoRoom if error.errno in FULL else StorageFailed
        raise failure(f"cannot write {path}: {error.strerror}", hint="Make room, then try again.") from error


def _json(document: Mapping[str, Any]) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)
