"""Sealed parts are plain zstd files to everybody else, whatever is between the frames."""

import gzip
import io
import shutil
import subprocess
from pathlib import Path

import pytest
import zstandard

from personastream.core.outcomes import Outcomes, Usage
from personastream.ports import Chunk
from personastream.sinks.disk import OsDisk
from tests.support.small_run import ROWS, STEMS, data, sink_on, write_run

DELIVERED = [n for n in range(ROWS) if n % 10 not in (3, 7)]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_run(OsDisk(str(tmp_path)))
    return tmp_path


def expected(stem: str) -> bytes:
    return b"".join(b'{"id":"%s:%d","text":""}\n' % (stem.encode(), n) for n in DELIVERED)


def parts(run: Path, stem: str = STEMS[0]) -> list[Path]:
    return sorted((run / "data").glob(f"{stem}-*.jsonl.zst"))


def zstd(*arguments: str | Path) -> bytes:
    command = shutil.which("zstd")
    if command is None:
        pytest.skip("needs the zstd command")
    return subprocess.run([command, *arguments], check=True, capture_output=True).stdout


def test_the_zstd_command_reads_and_tests_them(run: Path) -> None:
    for stem in STEMS:
        assert zstd("-dc", *parts(run, stem)) == expected(stem)
    zstd("-tq", *(run / "data").iterdir(), *(run / "dead").iterdir())


def test_the_zstd_command_sees_every_frame(run: Path) -> None:
    listing = zstd("-lv", parts(run)[0]).decode()
    assert "# Zstandard Frames: 2" in listing
    assert "Check: XXH64" in listing


def test_the_zstandard_module_reads_them(run: Path) -> None:
    opened = io.BytesIO(b"".join(path.read_bytes() for path in parts(run)))
    with zstandard.ZstdDecompressor().stream_reader(opened, read_across_frames=True) as stream:
        assert stream.read() == expected(STEMS[0])
    lines = []
    for path in parts(run):
        with zstandard.open(path, "rb") as text:
            lines.append(text.read())
    assert b"".join(lines) == expected(STEMS[0])


def test_parts_may_be_joined_and_recompressed(run: Path, tmp_path: Path) -> None:
    joined = tmp_path / "joined.jsonl.zst"
    joined.write_bytes(b"".join(path.read_bytes() for path in parts(run)))
    assert zstd("-dc", joined) == expected(STEMS[0])
    assert gzip.decompress(gzip.compress(zstd("-dc", joined))) == expected(STEMS[0])


def test_a_part_without_records_is_an_empty_file_to_others(tmp_path: Path) -> None:
    sink = sink_on(OsDisk(str(tmp_path)))
    sink.recover()
    sink.finish(0, 0)
    sink.commit(Chunk(1, "data", (), Outcomes(dropped={"exact": [(0, 3)]}), Usage()))
    sink.finish(1, 3)
    for path in (tmp_path / "data").iterdir():
        assert zstd("-dc", path) == b""
        assert zstandard.ZstdDecompressor().decompress(path.read_bytes()) == b""


def test_a_frame_can_be_read_alone_by_its_place_in_the_seek_table(tmp_path: Path) -> None:
    sink = sink_on(OsDisk(str(tmp_path)), part_bytes_max=1 << 20)
    sink.recover()
    for start in range(0, 50, 10):
        sink.commit(data(0, range(start, start + 10), text="é" * 1000))
    sink.finish(0, 50)
    content = parts(tmp_path)[0].read_bytes()
    table = zstandard_seek_table(content)
    assert sum(compressed for compressed, _ in table) < len(content)
    offset, records = 0, []
    for compressed, raw in table:
        if raw:
            frame = zstandard.ZstdDecompressor().decompress(content[offset : offset + compressed])
            assert len(frame) == raw
            records.append(frame.count(b"\n"))
        offset += compressed
    assert records == [10] * 5


def zstandard_seek_table(content: bytes) -> list[tuple[int, int]]:
    """(compressed, raw) sizes, read as the seekable format says, without the project's own code."""
    count = int.from_bytes(content[-9:-5], "little")
    table = content[-9 - 8 * count : -9]
    words = [int.from_bytes(table[at : at + 4], "little") for at in range(0, len(table), 4)]
    return list(zip(words[::2], words[1::2], strict=True))
