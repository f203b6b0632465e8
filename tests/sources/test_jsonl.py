"""The source as the engine sees it: the same rows whatever the file's kind, its frames, and where reading starts."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.core import row_index
from personastream.core.zstd_format import skippable_frame
from personastream.errors import BadInput
from personastream.ports import Source
from personastream.records import Batch, DeadRow, Shard
from personastream.sources import jsonl, pieces, zstd_frames
from personastream.sources.jsonl import Jsonl
from tests.support.effort import tries

EXTENSIONS = (".jsonl", ".jsonl.gz", ".jsonl.zst")
MIB = 1 << 20
SHARED_SHARDS = sorted((Path(__file__).parents[3] / "shared/data/personas/shards").glob("*.jsonl.zst"))


def compress(raw: bytes, extension: str, cuts: Sequence[int] = ()) -> bytes:
    """The data as a file of that kind; its frames or members, if it has any, end at the cuts."""
    chunks = [raw[start:stop] for start, stop in pairwise([0, *sorted(cuts), len(raw)])]
    if extension == ".jsonl.gz":
        return b"".join(gzip.compress(chunk, 1) for chunk in chunks)
    if extension == ".jsonl.zst":
        compressor = zstandard.ZstdCompressor(level=1, write_checksum=True)
        return b"".join(skippable_frame(0x184D2A53, b"note") + compressor.compress(chunk) for chunk in chunks)
    return raw


def lines(*texts: str) -> bytes:
    return b"".join(json.dumps({"persona": text}).encode() + b"\n" for text in texts)


def source_of(path: Path, raw: bytes, cuts: Sequence[int] = (), **keys: Any) -> tuple[Jsonl, Shard]:
    path.write_bytes(compress(raw, "".join(path.suffixes), cuts))
    source = Jsonl(paths=[str(path)], **keys)
    return source, source.shards()[0]


def rows_of(batches: Sequence[Batch], start: int = 0) -> list[str | DeadRow]:
    """Every row in order, once it is sure that the batches follow one another and only the final one is the last."""
    rows: list[str | DeadRow] = []
    for batch in batches:
        assert batch.start == start
        row_at: dict[int, str | DeadRow] = dict(zip(batch.numbers, batch.texts, strict=True))
        row_at.update({row.number: row for row in batch.dead})
        rows += [row_at.pop(number) for number in range(batch.start, batch.stop)]
        assert not row_at
        assert list(batch.numbers) == sorted(batch.numbers)
        start = batch.stop
    assert [batch.last for batch in batches] == [False] * (len(batches) - 1) + [True]
    return rows


def read(path: Path, raw: bytes, **keys: Any) -> list[str | DeadRow]:
    source, shard = source_of(path, raw, **keys)
    return rows_of(list(source.read(shard, 0)))


def reasons(rows: Sequence[str | DeadRow]) -> list[str]:
    return [row.reason if isinstance(row, DeadRow) else "" for row in rows]


def test_it_is_a_source(tmp_path: Path) -> None:
    source: Source = source_of(tmp_path / "a.jsonl", lines("a"))[0]
    assert source.shards()[0].stem == "a"


@settings(max_examples=tries(50), deadline=None)
@given(
    extension=st.sampled_from(EXTENSIONS),
    texts=st.lists(st.text(max_size=30) | st.just("x" * 90), max_size=60),
    broken=st.sets(st.integers(0, 60)),
    ended=st.booleans(),
    cuts=st.lists(st.integers(0, 3_000), max_size=8),
    piece_bytes=st.integers(1, 700),
    spacing=st.integers(1, 900),
    batch=st.tuples(st.integers(1, 20), st.integers(1, 900)),
    start=st.integers(0, 62),
)
def test_the_same_rows_come_from_any_start_with_or_without_an_index(
    tmp_path_factory: pytest.TempPathFactory,
    extension: str,
    texts: list[str],
    broken: set[int],
    ended: bool,
    cuts: list[int],
    piece_bytes: int,
    spacing: int,
    batch: tuple[int, int],
    start: int,
) -> None:
    folder = tmp_path_factory.mktemp("shard")
    made = [b"{broken" if number in broken else lines(text)[:-1] for number, text in enumerate(texts)]
    raw = b"\n".join(made) + b"\n" * (ended and bool(made))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "PIECE_BYTES", piece_bytes)
        patch.setattr(zstd_frames, "PIECE_BYTES", piece_bytes)
        patch.setattr(row_index, "SPACING_BYTES", spacing)
        patch.setattr(jsonl, "BATCH_BYTES_MAX", batch[1])
        cuts = [min(cut, len(raw)) for cut in cuts]
        source, shard = source_of(
            folder / f"a{extension}", raw or b"\n", cuts, batch_rows=batch[0], index_dir=str(folder / "index")
        )
        whole = rows_of(list(source.read(shard, 0)))
        resumed = list(source.read(shard, start))
        unaided = list(Jsonl(source.paths, batch_rows=batch[0]).read(shard, start))
    if raw:
        sound = [number not in broken and bool(text.strip()) for number, text in enumerate(texts)]
        assert [row if isinstance(row, str) else row.text.encode() for row in whole] == [
            text if fine else line for fine, text, line in zip(sound, texts, made, strict=True)
        ]
    assert rows_of(resumed, start) == whole[start:]
    assert [replace(batch, bytes_read=0) for batch in resumed] == [replace(batch, bytes_read=0) for batch in unaided]


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_nothing_is_left_to_read_from_the_end(tmp_path: Path, extension: str) -> None:
    source, shard = source_of(tmp_path / f"a{extension}", lines("a", "b"))
    (batch,) = source.read(shard, 2)
    assert (batch.start, batch.stop, batch.last) == (2, 2, True)
    assert not [*batch.numbers, *batch.texts, *batch.dead]


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_the_share_of_the_file_behind_a_batch_grows_with_its_rows(tmp_path: Path, extension: str) -> None:
    noise = os.urandom(10_000)
    source, shard = source_of(tmp_path / f"a{extension}", lines(*(noise[at : at + 200].hex() for at in range(9_800))))
    for start in (0, 5_000):
        for batch in source.read(shard, start):
            assert batch.bytes_read == pytest.approx(shard.size_bytes * batch.stop / 9_800, rel=0.1)


@pytest.mark.skipif(not SHARED_SHARDS, reason="no ../shared/data/personas/shards beside the repository")
@pytest.mark.parametrize("path", SHARED_SHARDS, ids=lambda path: path.name)
def test_real_shards_read_as_the_zstd_tool_reads_them(path: Path) -> None:
    raw = subprocess.run(["zstd", "-dc", path], capture_output=True, check=True).stdout
    expected = [json.loads(line)["persona"] for line in raw.split(b"\n") if line]
    source = Jsonl([str(path)])
    (shard,) = source.shards()
    assert rows_of(list(source.read(shard, 0))) == expected
    assert rows_of(list(source.read(shard, 777)), 777) == expected[777:]


def test_line_separators_of_unicode_and_lone_carriage_returns_stay_inside_a_line(tmp_path: Path) -> None:
    raw = '{"persona": "a\u2028b\u2029c\u0085d"}\r\n{"x":\r1, "persona": "e"}\n'.encode()
    assert read(tmp_path / "a.jsonl", raw) == ["a\u2028b\u2029c\u0085d", "e"]


def test_a_byte_order_mark_is_skipped_at_the_start_and_nowhere_else(tmp_path: Path) -> None:
    raw = b"\xef\xbb\xbf" + lines("a") + b"\xef\xbb\xbf" + lines("b")
    for extension in EXTENSIONS:
        assert reasons(read(tmp_path / f"a{extension}", raw, batch_rows=1)) == ["", "invalid_json"]


def test_a_last_line_without_a_line_feed_counts(tmp_path: Path) -> None:
    assert read(tmp_path / "a.jsonl", lines("a", "b")[:-1]) == ["a", "b"]


def test_blank_lines_are_rows_too(tmp_path: Path) -> None:
    rows = read(tmp_path / "a.jsonl", b"\n" + lines("a") + b"\n\n")
    assert reasons(rows) == ["blank_line", "", "blank_line", "blank_line"]


def test_each_kind_of_bad_row_is_dead_and_its_neighbours_live(tmp_path: Path) -> None:
    bad = {
        "blank_line": b" ",
        "invalid_utf8": b'{"persona": "\xff"}',
        "invalid_json": b'{"persona": "\\udc00"}',
        "not_an_object": b"[1]",
        "missing_field": b'{"text": "a"}',
        "not_text": b'{"persona": 1}',
        "empty_text": b'{"persona": " "}',
        "text_too_long": lines("x" * 2_000)[:-1],
        "too_deep": b'{"persona": ' + b"[" * 1_000 + b"]" * 1_000 + b"}",
    }
    raw = b"".join(line + b"\n" + lines(f"behind {reason}") for reason, line in bad.items())
    rows = read(tmp_path / "a.jsonl.zst", raw, text_bytes_max=1_999)
    assert reasons(rows[::2]) == list(bad)
    assert rows[1::2] == [f"behind {reason}" for reason in bad]


def test_the_field_and_nul_characters_are_taken_as_they_are(tmp_path: Path) -> None:
    raw = b'{"input persona": "a\\u0000b", "persona": 1}\n'
    assert read(tmp_path / "a.jsonl", raw, field="input persona") == ["a\0b"]


def test_a_line_over_the_limit_is_dead_with_offset_and_length(tmp_path: Path) -> None:
    raw = lines("a", "x" * MIB, "b")
    rows = read(tmp_path / "a.jsonl.gz", raw, line_bytes_max=MIB)
    assert [row for row in rows if isinstance(row, str)] == ["a", "b"]
    assert isinstance(rows[1], DeadRow)
    assert rows[1].reason == "line_too_long"
    assert rows[1].detail == f"{MIB + 15} bytes, from raw byte {len(lines('a'))}"
    assert rows[1].text == ('{"persona": "' + "x" * 2_000)[:2_000]


def test_batches_end_at_the_row_or_the_byte_limit(tmp_path: Path) -> None:
    source, shard = source_of(tmp_path / "a.jsonl.zst", lines(*["x" * 100] * 5_000, *["y" * MIB] * 9), batch_rows=2_000)
    sizes = [batch.stop - batch.start for batch in source.read(shard, 0)]
    assert sizes == [2_000, 2_000, 1_000 + 4, 4, 1]


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_file_of_another_size_than_its_shard_is_refused(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"a{extension}"
    source, shard = source_of(path, lines("a"))
    with path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(BadInput, match=f"has {shard.size_bytes + 1} bytes, but {shard.size_bytes} when"):
        list(source.read(shard, 0))


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_file_that_grows_while_it_is_read_is_an_error_before_the_last_batch(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"a{extension}"
    source, shard = source_of(path, lines("a", "b", "c"), batch_rows=1)
    batches = source.read(shard, 0)
    next(batches)
    with path.open("ab") as file:
        file.write(lines("d"))
    with pytest.raises(BadInput, match="while being read"):
        assert not any(batch.last for batch in batches)


@pytest.mark.parametrize("extension", [".jsonl", ".jsonl.zst"])
def test_a_file_that_shrinks_while_it_is_read_is_an_error_with_its_offset(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"a{extension}"
    noise = os.urandom(3 * MIB).hex()
    source, shard = source_of(path, lines(*(noise[start : start + 1_000] for start in range(0, len(noise), 1_000))))
    batches = source.read(shard, 0)
    next(batches)
    os.truncate(path, shard.size_bytes * 2 // 3)
    with pytest.raises(BadInput, match=rf"byte {shard.size_bytes * 2 // 3}: .*shrank"):
        list(batches)


def test_the_file_is_closed_when_reading_is_given_up(tmp_path: Path) -> None:
    source, shard = source_of(tmp_path / "a.jsonl", lines(*["x"] * 10), batch_rows=1)
    open_before = len(os.listdir("/proc/self/fd"))
    batches = source.read(shard, 0)
    next(batches)
    assert len(os.listdir("/proc/self/fd")) == open_before + 1
    batches.close()  # type: ignore[attr-defined]  # an iterator in the port, a generator here
    assert len(os.listdir("/proc/self/fd")) == open_before


READ_AND_REPORT = """
import re, sys
from personastream.sources.jsonl import Jsonl

def peak_kib():
    with open("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\\s+(\\d+)", status.read())[1])

before = peak_kib()
source = Jsonl([sys.argv[1]])
(shard,) = source.shards()
dead = [row.reason for batch in source.read(shard, 0) for row in batch.dead]
print(dead, (peak_kib() - before) >> 10)
"""


def dead_and_peak_mib(path: Path) -> tuple[str, int]:
    """Reasons of all dead rows, and by how many MiB reading the file raised the peak memory of a fresh process."""
    done = subprocess.run([sys.executable, "-c", READ_AND_REPORT, path], capture_output=True, text=True, check=True)
    dead, peak = done.stdout.rsplit(maxsplit=1)
    return dead, int(peak)


def write_zeros(path: Path, before: bytes, size_bytes: int, after: bytes) -> None:
    """A file that decompresses to some bytes, very many NUL bytes, and some bytes again."""
    with path.open("wb") as file, zstandard.ZstdCompressor(level=1, write_checksum=True).stream_writer(file) as writer:
        writer.write(before)
        for _ in range(size_bytes // MIB):
            writer.write(bytes(MIB))
        writer.write(after)


def test_a_line_of_100_mb_is_skipped_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.zst"
    write_zeros(path, lines("a"), 100 * MIB, b"\n" + lines("b"))
    dead, peak_mib = dead_and_peak_mib(path)
    assert dead == "['line_too_long']"
    assert peak_mib < 60


@pytest.mark.slow
def test_a_bomb_of_a_gibibyte_is_skipped_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.zst"
    write_zeros(path, b"", 1024 * MIB, b"")
    assert path.stat().st_size < 120_000
    dead, peak_mib = dead_and_peak_mib(path)
    assert dead == "['line_too_long']"
    assert peak_mib < 60
