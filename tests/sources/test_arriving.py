"""Which files of a folder that grows are whole, and what is remembered of them."""

import gzip
import os
import time
from collections.abc import Collection
from pathlib import Path
from unittest.mock import patch

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.errors import BadInput, ConfigError
from personastream.sources.arriving import QUIET_S, QUIET_S_UNSURE, arrived, look
from personastream.sources.local_file import LocalFile
from personastream.sources.shard_files import EXTENSIONS

LINES = b'{"persona": "a baker"}\n{"persona": "a miller"}\n'
TWO_FRAMES = zstandard.compress(LINES) + zstandard.compress(LINES)


def write(path: Path, content: bytes, age_s: float) -> Path:
    path.write_bytes(content)
    then_s = time.time() - age_s
    os.utime(path, (then_s, then_s))
    return path


def is_whole(path: Path) -> bool:
    stock = look([str(path)])
    assert len(stock.whole) + len(stock.unfinished) == 1
    return bool(stock.whole)


def stems(folder: Path, known: Collection[str] = ()) -> list[str]:
    return [shard.stem for shard in arrived([str(folder / "*.jsonl*")], EXTENSIONS, known)]


@pytest.mark.parametrize(
    ("name", "content", "needed_s"),
    [
        ("a.jsonl", LINES, QUIET_S),
        ("a.jsonl", LINES[:-1], QUIET_S_UNSURE),
        ("a.jsonl.gz", gzip.compress(LINES, mtime=0), QUIET_S_UNSURE),
        ("a.jsonl.zst", TWO_FRAMES, QUIET_S),
        ("a.jsonl.zst", b"no zstd at all", QUIET_S),
        ("a.parquet", b"PAR1 all of it PAR1", QUIET_S),
    ],
)
def test_a_file_must_rest_for_as_long_as_its_end_asks_for(
    tmp_path: Path, name: str, content: bytes, needed_s: float
) -> None:
    path = write(tmp_path / name, content, 0)
    written_s = path.stat().st_mtime
    for age_s, whole in ((0, False), (needed_s - 0.5, False), (needed_s + 0.5, True), (-needed_s - 0.5, True)):
        with patch("personastream.sources.arriving.time.time", lambda age_s=age_s: written_s + age_s):
            assert is_whole(path) == whole


@pytest.mark.parametrize(("name", "content"), [("a.jsonl", b""), ("a.jsonl.zst", b""), ("a.parquet", b"PAR1 half of")])
def test_what_cannot_be_whole_is_never_taken(tmp_path: Path, name: str, content: bytes) -> None:
    assert not is_whole(write(tmp_path / name, content, 1e6))


@given(cut=st.integers(1, len(TWO_FRAMES)))
@settings(max_examples=60)
def test_a_zstd_file_is_whole_at_the_end_of_a_frame_only(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = write(tmp_path_factory.mktemp("cut") / "a.jsonl.zst", TWO_FRAMES[:cut], 1e6)
    assert is_whole(path) == (cut in (len(TWO_FRAMES) // 2, len(TWO_FRAMES)))


def test_a_known_shard_is_seen_even_while_it_is_touched(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", LINES, 0)
    write(tmp_path / "b.jsonl", LINES, 1e6)
    assert stems(tmp_path) == ["b"]
    assert stems(tmp_path, {"a"}) == ["a", "b"]


def test_nothing_is_no_error_and_a_folder_in_the_way_is_one(tmp_path: Path) -> None:
    assert stems(tmp_path) == []
    assert look([str(tmp_path / "later.jsonl")]).whole == ()
    (tmp_path / "a.jsonl").mkdir()
    with pytest.raises(BadInput, match="is a folder"):
        stems(tmp_path)


def test_urls_are_refused() -> None:
    with pytest.raises(ConfigError, match="folders of this machine"):
        look(["https://127.0.0.1/a.jsonl"])


def test_of_files_that_have_not_changed_no_byte_is_read_again(tmp_path: Path) -> None:
    paths = [str(tmp_path / "*.jsonl")]
    write(tmp_path / "a.jsonl", LINES, 1e6)
    before = arrived(paths, EXTENSIONS, ())
    stock = look(paths)
    with patch.object(LocalFile, "read_at", side_effect=AssertionError("it was read")):
        assert look(paths) == stock
        assert arrived(paths, EXTENSIONS, ()) == before
    write(tmp_path / "a.jsonl", LINES * 2, 1e6)
    assert look(paths) != stock
    assert arrived(paths, EXTENSIONS, ())[0].fingerprint != before[0].fingerprint
