"""The row index makes a later start seek; it changes nothing else, whatever state it is in."""

import os
from pathlib import Path

import pytest
import zstandard

from personastream.records import Shard
from personastream.sources import row_index_file
from personastream.sources.jsonl import Jsonl

ROWS = 4_000
START = 3_900


def write(path: Path, *, last: str = "z") -> bytes:
    """A shard of 4 MB raw, in 200 frames if it is compressed; what the file holds."""
    lines = [b'{"persona": "%s"}\n' % (str(row).zfill(1_000).encode()) for row in range(ROWS - 1)]
    lines.append(b'{"persona": "%s"}\n' % last.encode())
    data = b"".join(lines)
    if path.suffix == ".zst":
        compressor = zstandard.ZstdCompressor(level=1, write_checksum=True)
        data = b"".join(compressor.compress(b"".join(lines[at : at + 20])) for at in range(0, ROWS, 20))
    path.write_bytes(data)
    return data


def opened(path: Path) -> tuple[Jsonl, Shard]:
    source = Jsonl([str(path)], index_dir=str(path.parent / "index"))
    return source, source.shards()[0]


def texts(source: Jsonl, shard: Shard, start: int = 0) -> list[str]:
    return [text for batch in source.read(shard, start) for text in batch.texts]


def index_of(path: Path) -> Path:
    return path.parent / "index" / "a.rows"


@pytest.fixture(params=["a.jsonl", "a.jsonl.zst"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


def damage_start(path: Path) -> None:
    """Make the first quarter of a file unreadable, and give it more line feeds than it had."""
    with path.open("r+b") as file:
        file.write(b"\n" * (path.stat().st_size // 4))


def test_a_later_start_seeks_past_what_lies_before(path: Path) -> None:
    write(path)
    source, shard = opened(path)
    expected = texts(source, shard)[START:]
    assert os.listdir(path.parent / "index") == ["a.rows"]
    damage_start(path)
    assert texts(source, shard, START) == expected


def test_a_pass_that_is_broken_off_leaves_an_index_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_index_file, "SAVE_EVERY_S", 0.0)
    write(path)
    source, shard = opened(path)
    for batch in source.read(shard, 0):
        if batch.stop >= START:
            break
    damage_start(path)
    assert texts(source, shard, START)[0] == str(START).zfill(1_000)


def test_an_index_grows_from_where_an_earlier_pass_stopped(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_index_file, "SAVE_EVERY_S", 0.0)
    write(path)
    source, shard = opened(path)
    for batch in source.read(shard, 0):
        if batch.stop >= ROWS // 2:
            break
    first = index_of(path).read_bytes()
    expected = texts(source, shard, ROWS // 2)
    second = index_of(path).read_bytes()
    assert len(second) > len(first)
    damage_start(path)
    assert texts(source, shard, START) == expected[START - ROWS // 2 :]
    assert index_of(path).read_bytes() == second


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other shard", "folder", "missing"])
def test_an_index_that_does_not_fit_is_ignored_and_written_anew(path: Path, damage: str) -> None:
    write(path)
    source, shard = opened(path)
    expected, file = texts(source, shard), index_of(path)
    good = file.read_bytes()
    flipped = bytes([*good[:30], good[30] ^ 1, *good[31:]])
    if damage == "folder":
        file.unlink()
        file.mkdir()
    elif damage == "missing":
        file.unlink()
    elif damage == "other shard":
        write(path, last="other")
        source, shard = opened(path)
        expected[-1] = "other"
    else:
        file.write_bytes({"cut": good[:-9], "flipped": flipped, "empty": b""}[damage])
    assert texts(source, shard, 10) == expected[10:]
    if damage == "folder":
        assert file.is_dir()
    else:
        assert (file.read_bytes() == good) == (damage != "other shard")
    assert texts(source, shard, START) == expected[START:]


def test_an_index_folder_that_cannot_be_written_stops_nothing(path: Path) -> None:
    write(path)
    (path.parent / "index").write_bytes(b"a file where the folder should be")
    source, shard = opened(path)
    assert len(texts(source, shard)) == ROWS


def test_what_killed_writers_left_is_cleared(path: Path) -> None:
    write(path)
    source, shard = opened(path)
    index_of(path).parent.mkdir()
    index_of(path).with_name("a.rows.x7.tmp").write_bytes(b"half")
    texts(source, shard)
    assert os.listdir(path.parent / "index") == ["a.rows"]


def test_without_an_index_folder_nothing_is_written(path: Path) -> None:
    write(path)
    source = Jsonl([str(path)])
    assert len(texts(source, source.shards()[0])) == ROWS
    assert os.listdir(path.parent) == [path.name]


def test_a_small_shard_needs_no_index(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"persona": "a"}\n')
    source, shard = opened(tmp_path / "a.jsonl")
    assert texts(source, shard) == ["a"]
    assert os.listdir(tmp_path) == ["a.jsonl"]
