"""The outer structure of zstd data, checked against the zstandard library."""

import struct
from contextlib import suppress

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.core.zstd_format import (
    BLOCK_BYTES_MAX,
    FRAME_HEADER_BYTES_MAX,
    SEEKABLE_FOOTER_BYTES,
    SKIPPABLE_MAGIC,
    FormatError,
    Truncated,
    frame_length,
    is_skippable,
    parse_block_header,
    parse_frame_header,
    parse_seek_table,
    read_magic,
    seek_table,
    seek_table_bytes,
    skippable_frame,
    skippable_size,
)
from tests.support.effort import tries

quick = settings(max_examples=tries(30), deadline=None)
contents = st.one_of(
    st.binary(max_size=2_000),
    st.builds(lambda unit, times: unit * times, st.binary(min_size=1, max_size=9), st.integers(0, 30_000)),
)
frames = st.builds(
    lambda content, level, checksum, size: zstandard.ZstdCompressor(
        level=level, write_checksum=checksum, write_content_size=size
    ).compress(content),
    contents,
    st.integers(-5, 5),
    st.booleans(),
    st.booleans(),
)
skippables = st.builds(skippable_frame, st.integers(SKIPPABLE_MAGIC, SKIPPABLE_MAGIC + 15), st.binary(max_size=50))
entries = st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)), max_size=20)


def length_at(data: bytes, offset: int) -> int:
    return frame_length(lambda start, count: data[start : start + count], offset)


@quick
@given(st.lists(st.one_of(frames, skippables), max_size=5))
def test_hopping_over_frames_ends_where_the_data_ends(pieces: list[bytes]) -> None:
    data, offset, found = b"".join(pieces), 0, []
    while offset < len(data):
        length = length_at(data, offset)
        found.append(data[offset : offset + length])
        offset += length
    assert found == pieces


@quick
@given(frames)
def test_a_frame_header_is_read_as_the_library_reads_it(frame: bytes) -> None:
    header = parse_frame_header(frame[:FRAME_HEADER_BYTES_MAX])
    assert header.header_bytes == zstandard.frame_header_size(frame)
    assert header.has_checksum == zstandard.get_frame_parameters(frame).has_checksum


@quick
@given(frames, st.data())
def test_a_cut_frame_header_is_truncated_not_misread(frame: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, zstandard.frame_header_size(frame) - 1))
    with pytest.raises(Truncated):
        parse_frame_header(frame[:cut])


@quick
@given(st.binary(max_size=40))
def test_any_bytes_give_a_length_or_a_format_error(data: bytes) -> None:
    with suppress(FormatError):
        assert length_at(data, 0) > 0


@quick
@given(st.sampled_from(["frame", "table"]), st.binary(max_size=60))
def test_garbage_behind_a_right_magic_number_is_a_format_error(kind: str, garbage: bytes) -> None:
    start = {"frame": zstandard.FRAME_HEADER, "table": seek_table([])[:4]}[kind]
    with suppress(FormatError):
        parse_seek_table(start + garbage) if kind == "table" else length_at(start + garbage, 0)


def test_the_reserved_bit_of_a_frame_header_is_an_error() -> None:
    frame = bytearray(zstandard.ZstdCompressor().compress(b"abc"))
    frame[4] |= 0x08
    with pytest.raises(FormatError, match="reserved"):
        parse_frame_header(bytes(frame))


@pytest.mark.parametrize(
    ("kind", "size", "body"), [(0, 7, 7), (1, 7, 1), (2, 7, 7), (2, BLOCK_BYTES_MAX, BLOCK_BYTES_MAX)]
)
@pytest.mark.parametrize("last", [False, True])
def test_block_headers_give_the_length_of_what_follows(kind: int, size: int, body: int, last: bool) -> None:
    assert parse_block_header((size << 3 | kind << 1 | last).to_bytes(3, "little")) == (body, last)


def test_a_reserved_block_type_and_an_oversized_block_are_errors() -> None:
    for word in (7 << 3 | 3 << 1, (BLOCK_BYTES_MAX + 1) << 3):
        with pytest.raises(FormatError):
            parse_block_header(word.to_bytes(3, "little"))
    with pytest.raises(Truncated):
        parse_block_header(b"\0\0")


@quick
@given(st.integers(SKIPPABLE_MAGIC, SKIPPABLE_MAGIC + 15), st.binary(max_size=99))
def test_a_skippable_frame_says_how_long_it_is(magic: int, payload: bytes) -> None:
    frame = skippable_frame(magic, payload)
    assert is_skippable(read_magic(frame))
    assert skippable_size(frame) == len(payload)
    assert length_at(frame, 0) == len(frame)


def test_other_magic_numbers_are_not_skippable() -> None:
    for magic in (SKIPPABLE_MAGIC - 1, SKIPPABLE_MAGIC + 16, 0xFD2FB528):
        assert not is_skippable(magic)
        with pytest.raises(FormatError):
            skippable_size(struct.pack("<II", magic, 1))


@quick
@given(entries)
def test_a_seek_table_reads_back(frames: list[tuple[int, int]]) -> None:
    table = seek_table(frames)
    assert seek_table_bytes(table[-SEEKABLE_FOOTER_BYTES:]) == len(table) == length_at(table, 0)
    assert parse_seek_table(table) == frames


@quick
@given(entries)
def test_a_seek_table_with_checksums_reads_back(frames: list[tuple[int, int]]) -> None:
    rows = b"".join(struct.pack("<III", compressed, raw, 99) for compressed, raw in frames)
    table = skippable_frame(0x184D2A5E, rows + struct.pack("<IBI", len(frames), 0x80, 0x8F92EAB1))
    assert seek_table_bytes(table[-SEEKABLE_FOOTER_BYTES:]) == len(table)
    assert parse_seek_table(table) == frames


@quick
@given(entries, st.data())
def test_a_seek_table_of_another_length_is_refused(frames: list[tuple[int, int]], data: st.DataObject) -> None:
    table = seek_table(frames)
    cut = data.draw(st.integers(0, len(table) - 1))
    for damaged in (table[:cut], table[len(table) - cut :], b"\0" + table):
        with pytest.raises(FormatError):
            parse_seek_table(damaged)


def test_data_without_a_seek_table_footer_has_no_table() -> None:
    assert seek_table_bytes(b"\0" * SEEKABLE_FOOTER_BYTES) is None
    assert seek_table_bytes(b"short") is None
