"""A seek table is used where it proves right against the frames, and left alone otherwise."""

import random
from pathlib import Path

import pytest
import zstandard

from personastream.core.row_index import Points
from personastream.core.zstd_format import SKIPPABLE_MAGIC, seek_table, skippable_frame
from personastream.sources.local_file import LocalFile
from personastream.sources.seek_table import nearest_frame, trusted_entries

RAWS = [random.Random(size).randbytes(size) for size in (1_000, 10, 3_000, 500)]
NOTE = skippable_frame(SKIPPABLE_MAGIC + 3, b"note")


def frames(*, sized: bool = True) -> list[bytes]:
    compressor = zstandard.ZstdCompressor(write_checksum=True, write_content_size=sized)
    one, two, three, four = map(compressor.compress, RAWS)
    return [one, NOTE, two, three, four]


ENTRIES = [(len(frame), size) for frame, size in zip(frames(), (1_000, 0, 10, 3_000, 500), strict=True)]


def entries_of(path: Path, data: bytes) -> list[tuple[int, int]]:
    path.write_bytes(data)
    with LocalFile(str(path)) as file:
        return trusted_entries(file)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.jsonl.zst"


def test_a_table_that_agrees_with_the_frames_is_trusted(path: Path) -> None:
    assert entries_of(path, b"".join(frames()) + seek_table(ENTRIES)) == ENTRIES


def wrong(place: int, compressed: int, raw: int) -> list[tuple[int, int]]:
    entries = list(ENTRIES)
    entries[place] = (entries[place][0] + compressed, entries[place][1] + raw)
    return entries


@pytest.mark.parametrize(
    "entries",
    [
        ENTRIES[:-1],
        ENTRIES[1:],
        [*ENTRIES, (0, 0)],
        [],
        wrong(0, 0, 1),
        wrong(1, 0, 1),
        wrong(1, 1, 0),
        wrong(3, -1, 0),
        wrong(4, 1, 0),
        [*wrong(1, -1, 0)[:2], *wrong(2, 1, 0)[2:]],
    ],
)
def test_a_table_that_disagrees_with_the_frames_is_left_alone(path: Path, entries: list[tuple[int, int]]) -> None:
    assert entries_of(path, b"".join(frames()) + seek_table(entries)) == []


def test_a_table_is_left_alone_where_frames_do_not_state_their_size(path: Path) -> None:
    assert entries_of(path, b"".join(frames(sized=False)) + seek_table(ENTRIES)) == []


def test_a_table_behind_more_than_one_file_is_left_alone(path: Path) -> None:
    once = b"".join(frames()) + seek_table(ENTRIES)
    assert entries_of(path, once + once) == []


@pytest.mark.parametrize("end", [b"", b"\x00\x00\x00\xff\x00\xb1\xea\x92\x8f", b"\xb1\xea\x92\x8f"])
def test_data_without_a_table_or_with_an_absurd_one_has_no_entries(path: Path, end: bytes) -> None:
    assert entries_of(path, b"".join(frames()) + end) == []
    assert entries_of(path, end or b"x") == []


def test_a_seek_finds_the_last_frame_at_or_before_an_offset(path: Path) -> None:
    path.write_bytes(b"".join(frames()) + seek_table(ENTRIES))
    sizes = [compressed for compressed, _ in ENTRIES]
    with LocalFile(str(path)) as file:
        for offset in (0, 999):
            assert nearest_frame(file, Points(), offset) == (0, 0)
        assert nearest_frame(file, Points(), 1_009) == (sum(sizes[:2]), 1_000)
        for offset in (1_010, 4_009):
            assert nearest_frame(file, Points(), offset) == (sum(sizes[:3]), 1_010)
        for offset in (4_010, 4_509):
            assert nearest_frame(file, Points(), offset) == (sum(sizes[:4]), 4_010)


def test_without_a_table_a_seek_uses_the_frames_seen_before(path: Path) -> None:
    path.write_bytes(b"".join(frames()))
    points = Points()
    points.add(77, 2 << 20)
    with LocalFile(str(path)) as file:
        assert nearest_frame(file, points, (2 << 20) - 1) == (0, 0)
        assert nearest_frame(file, points, (2 << 20) + 1) == (77, 2 << 20)
