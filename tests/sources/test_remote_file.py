"""Files behind URLs: read in ranges, asked for again when that helps, and refused in words when it does not."""

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec
import pyarrow
import pytest
import zstandard
from pyarrow.parquet import write_table

from personastream.errors import BadInput, ConfigError, RunError, SourceDown, SourceRefused
from personastream.sources import remote_file
from personastream.sources.jsonl import Jsonl
from personastream.sources.parquet import Parquet
from personastream.sources.places import is_url
from personastream.sources.remote_file import AHEAD_BYTES_MAX, RETRY_WAITS_S, Remote, RemoteFile
from personastream.sources.shard_files import find_shards

URL = "fake://bucket/a.jsonl"


class HttpError(Exception):
    """An error as libraries for HTTP raise it."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class System:
    """A file system in memory that counts ranges, and fails as it is told."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.told: dict[str, Any] = {"type": "file", "size": len(content), "ETag": '"1"'}
        self.ranges: list[tuple[int, int]] = []
        self.faults: list[Exception] = []
        self.cut = self.surplus = 0

    def invalidate_cache(self, path: str) -> None: ...

    def info(self, path: str) -> dict[str, Any]:
        self._fail()
        return self.told

    def glob(self, path: str) -> list[str]:
        self._fail()
        return ["bucket/b.jsonl", "bucket/a.jsonl"]

    def unstrip_protocol(self, path: str) -> str:
        return f"fake://{path}"

    def cat_file(self, path: str, start: int, end: int) -> bytes:
        self._fail()
        self.ranges.append((start, end))
        cut, self.cut = self.cut, 0
        return self.content[start : end - cut + self.surplus]

    def _fail(self) -> None:
        if self.faults:
            raise self.faults.pop(0)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it was waited before attempts; nobody waits in truth."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> System:
    system = System(random.Random(1).randbytes(30 << 20))
    monkeypatch.setattr(remote_file, "remote", lambda url: Remote(url, system, url.removeprefix("fake://")))
    return system


def test_ranges_grow_as_reading_goes_on_and_nothing_is_read_twice(system: System) -> None:
    file = RemoteFile(URL)
    pieces = [file.read_at(at, 40_000) for at in range(0, len(system.content), 40_000)]
    assert b"".join(pieces) == system.content
    sizes = [end - start for start, end in system.ranges]
    assert sum(sizes) == len(system.content)
    assert len(sizes) < 14
    assert max(sizes) == AHEAD_BYTES_MAX
    assert file.position == file.size_bytes == len(system.content)


def test_a_jump_reads_little(system: System) -> None:
    file = RemoteFile(URL)
    for at in (20 << 20, 3 << 20, 29 << 20):
        assert file.read_at(at, 18) == system.content[at : at + 18]
    assert sum(end - start for start, end in system.ranges) <= 3 * (128 << 10)


def test_any_reads_give_the_content(system: System) -> None:
    file, draw = RemoteFile(URL), random.Random(2)
    at = 0
    for _ in range(400):
        at = draw.choice((at, at, max(0, at - 20), draw.randrange(len(system.content) + 9)))
        count = draw.choice((1, 8, 18, 5000, 200_000, 1 << 20))
        assert file.read_at(at, count) == system.content[at : at + count]
        at += draw.choice((0, count))


def test_what_fails_in_passing_is_asked_for_again(system: System, waits: list[float]) -> None:
    file = RemoteFile(URL)
    system.faults = [ConnectionResetError("gone"), TimeoutError(), HttpError(503), HttpError(429)]
    assert file.read_at(0, 10) == system.content[:10]
    assert waits == list(RETRY_WAITS_S)


def test_a_range_that_comes_short_is_asked_for_again(system: System, waits: list[float]) -> None:
    file = RemoteFile(URL)
    system.cut = 3
    assert file.read_at(0, 10) == system.content[:10]
    assert len(waits) == 1


@pytest.mark.parametrize(
    ("fault", "kind", "what"),
    [
        (FileNotFoundError("a"), BadInput, "no such file"),
        (HttpError(404), BadInput, "no such file"),
        (HttpError(400), BadInput, "is refused: HttpError: status 400"),
        (PermissionError("Forbidden"), SourceRefused, "may not be read: PermissionError: Forbidden"),
        (HttpError(403), SourceRefused, "may not be read"),
        (HttpError(401), SourceRefused, "may not be read"),
    ],
)
@pytest.mark.slow
def test_what_cannot_help_to_ask_again_is_told_at_once(
    system: System, waits: list[float], fault: Exception, kind: type[RunError], what: str
) -> None:
    system.faults = [fault]
    with pytest.raises(kind, match=what) as caught:
        RemoteFile(URL)
    assert URL in caught.value.message
    assert caught.value.hint
    assert not waits


def test_a_service_that_stays_away_ends_the_run_with_a_way_on(system: System, waits: list[float]) -> None:
    file = RemoteFile(URL)
    system.faults = [OSError("down")] * (len(RETRY_WAITS_S) + 1)
    with pytest.raises(SourceDown, match="cannot be read: OSError: down") as caught:
        file.read_at(0, 10)
    assert caught.value.exit_code == 69
    assert "--resume" in caught.value.hint
    assert waits == list(RETRY_WAITS_S)


def test_a_server_without_ranges_is_refused(system: System) -> None:
    system.surplus = 100
    with pytest.raises(BadInput, match=r"bytes came for a range of"):
        RemoteFile(URL).read_at(0, 10)


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ({"type": "directory", "size": 0}, "is a folder"),
        ({"type": "file", "size": None}, "does not tell its size"),
        ({"type": "file", "size": 0}, "is empty"),
        ({"type": "file", "size": 7}, "has 7 bytes, but 9 when the run was set up"),
    ],
)
@pytest.mark.slow
def test_what_is_not_to_be_read_is_refused(system: System, told: dict[str, Any], what: str) -> None:
    system.told = told
    with pytest.raises(BadInput, match=what):
        RemoteFile(URL, 9)


@pytest.mark.parametrize("change", [{"ETag": '"2"'}, {"size": 5}])
def test_a_file_that_changes_meanwhile_is_noticed(system: System, change: dict[str, Any]) -> None:
    file = RemoteFile(URL)
    file.check_unchanged()
    system.told = {**system.told, **change}
    with pytest.raises(BadInput, match="changed while being read"):
        file.check_unchanged()


def test_a_fingerprint_is_that_of_the_service_or_of_both_ends(system: System) -> None:
    first = RemoteFile(URL).fingerprint()
    assert not system.ranges
    system.told = {**system.told, "ETag": '"2"'}
    second = RemoteFile(URL).fingerprint()
    system.told = {"type": "file", "size": len(system.content)}
    third = RemoteFile(URL).fingerprint()
    system.content = system.content[:-1] + b"x"
    fourth = RemoteFile(URL).fingerprint()
    assert len({first, second, third, fourth}) == 4
    assert sum(end - start for start, end in system.ranges) <= 4 * (128 << 10)


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("s3://key:secret@bucket/a.jsonl", "must not hold credentials"),
        ("https://user:secret@host/a.jsonl", "must not hold credentials"),
        ("zip://b.zip::s3://bucket/b.jsonl", "chained URLs"),
        ("nonsense://bucket/a.jsonl", "cannot be used"),
    ],
)
def test_urls_that_are_not_taken(url: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what) as caught:
        find_shards([url])
    assert "secret" not in str(caught.value)
    assert caught.value.hint


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(url: str) -> None:
        raise ImportError("Please install gcsfs to access Google Storage")

    monkeypatch.setattr(fsspec.core, "url_to_fs", without)
    with pytest.raises(ConfigError, match="gs:// needs a package that is missing") as caught:
        find_shards(["gs://bucket/a.jsonl"])
    assert caught.value.hint == "pip install gcsfs"


@pytest.mark.parametrize(
    ("path", "yes"),
    [("s3://b/k", True), ("memory://x", True), ("a.jsonl", False), ("/x://y", False), ("C:/x", False), ("://x", False)],
)
def test_urls_are_told_from_paths(path: str, yes: bool) -> None:
    assert is_url(path) is yes


@pytest.fixture
def memory() -> Iterator[Any]:
    system = fsspec.filesystem("memory")
    yield system
    system.rm("/in", recursive=True)


def test_shards_behind_a_glob_are_read_like_files(memory: Any, tmp_path: Path) -> None:
    lines = [f'{{"persona": "persona {number}"}}\n'.encode() for number in range(900)]
    compressor = zstandard.ZstdCompressor()
    frames = [compressor.compress(b"".join(lines[at : at + 100])) for at in range(0, 900, 100)]
    memory.pipe_file("/in/b.jsonl", b"".join(lines[:10]))
    memory.pipe_file("/in/a.jsonl.zst", b"".join(frames))
    source = Jsonl(["memory://in/*.jsonl*"], batch_rows=128)
    first, second = source.shards()
    assert ([first.stem, second.stem], first.path) == (["a", "b"], "memory:///in/a.jsonl.zst")
    for start in (0, 555, 900):
        texts = [text for batch in source.read(first, start) for text in batch.texts]
        assert texts == [f"persona {number}" for number in range(start, 900)]
    write_table(pyarrow.table({"persona": ["x", "y"]}), tmp_path / "c.parquet")
    memory.pipe_file("/in/c.parquet", (tmp_path / "c.parquet").read_bytes())
    columns = Parquet(["memory://in/c.parquet"])
    assert [list(batch.texts) for batch in columns.read(columns.shards()[0], 1)] == [["y"]]


def test_a_file_named_twice_by_url_is_refused(memory: Any) -> None:
    memory.pipe_file("/in/a.jsonl", b'{"persona": "x"}\n')
    with pytest.raises(ConfigError, match="are the same file"):
        find_shards(["memory://in/a.jsonl", "memory:///in/a.jsonl"])
    with pytest.raises(BadInput, match="no file matches"):
        find_shards(["memory://in/*.jsonl.zst"])
    with pytest.raises(BadInput, match="no such file"):
        find_shards(["memory://in/b.jsonl"])


def test_versions_of_every_kind_are_text(system: System) -> None:
    system.told = {"type": "file", "size": 9, "created": datetime(2026, 1, 1, tzinfo=UTC)}
    assert len(RemoteFile(URL).fingerprint()) == 32
