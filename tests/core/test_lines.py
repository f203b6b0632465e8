"""Lines and batches depend on the bytes, never on how they were cut into pieces."""

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.core.lines import HEAD_BYTES, Line, Lines, LongLine, cut_batches, split_lines
from tests.support.effort import tries

quick = settings(max_examples=tries(50), deadline=None)
raws = st.lists(st.sampled_from([b"\n", b"a", b"bc", b"\r", b"\xe2\x80\xa8", b"\xc2\x85", b"\n\n"]), max_size=60).map(
    b"".join
)
cuts = st.lists(st.integers(1, 8), max_size=40)


def pieces_of(raw: bytes, sizes: list[int]) -> Iterator[bytes]:
    at = 0
    for size in sizes:
        if raw[at : at + size]:
            yield raw[at : at + size]
        at += size
    for start in range(at, len(raw), 8):
        yield raw[start : start + 8]


def lines_of(raw: bytes) -> list[bytes]:
    lines = raw.split(b"\n")
    return lines if lines[-1] else lines[:-1]


@quick
@given(raws, cuts, st.integers(0, 1000))
def test_lines_end_at_line_feeds_alone_wherever_the_pieces_end(raw: bytes, sizes: list[int], offset: int) -> None:
    groups = list(split_lines(pieces_of(raw, sizes), offset, 0, 8_000))
    assert [line for group in groups for line in group.lines] == lines_of(raw)
    assert all(group.skipped == 0 for group in groups)


@quick
@given(raws, cuts, st.integers(0, 70))
def test_skipped_lines_are_counted_and_the_rest_is_the_same(raw: bytes, sizes: list[int], skip: int) -> None:
    expected = lines_of(raw)
    groups = list(split_lines(pieces_of(raw, sizes), 0, skip, 8_000))
    assert sum(group.skipped for group in groups) == min(skip, len(expected))
    assert [line for group in groups for line in group.lines] == expected[skip:]


@quick
@given(raws, cuts, st.integers(0, 70), st.integers(0, 1000))
def test_every_group_ends_where_the_next_line_starts(raw: bytes, sizes: list[int], skip: int, offset: int) -> None:
    row = 0
    for skipped, lines, end in split_lines(pieces_of(raw, sizes), offset, skip, 8_000):
        row += skipped + len(lines)
        assert lines_of(raw[end - offset :]) == lines_of(raw)[row:]


@quick
@given(st.lists(st.integers(0, 40), max_size=12), cuts, st.integers(8, 20), st.booleans())
def test_a_line_over_the_limit_keeps_its_head_offset_and_length(
    lengths: list[int], sizes: list[int], limit: int, ended: bool
) -> None:
    raw = b"".join(b"x" * length + b"\n" for length in lengths)
    if not ended and lengths and lengths[-1]:
        raw = raw.removesuffix(b"\n")
    found = [line for group in split_lines(pieces_of(raw, sizes), 100, 0, limit) for line in group.lines]
    offset, expected = 100, list[Line]()
    for length in lengths:
        expected.append(LongLine(b"x" * length, offset, length) if length > limit else b"x" * length)
        offset += length + 1
    assert found == expected


def test_of_a_huge_line_only_the_head_is_kept() -> None:
    pieces = [b"a" * 50_000] * 40 + [b"b\nend"]
    (long, end) = (line for group in split_lines(pieces, 0, 0, 60_000) for line in group.lines)
    assert long == LongLine(b"a" * HEAD_BYTES, 0, 2_000_001)
    assert len(long) == HEAD_BYTES
    assert end == b"end"


@quick
@given(st.lists(st.lists(st.integers(0, 9), max_size=9), max_size=9), st.integers(1, 7), st.integers(1, 30), st.data())
def test_batches_depend_on_the_lines_not_on_their_groups(
    groups: list[list[int]], rows_max: int, bytes_max: int, data: st.DataObject
) -> None:
    lines = [b"x" * size for group in groups for size in group]
    parts = [Lines.of([b"x" * size for size in group]) for group in groups]
    batches = list(cut_batches(parts, rows_max, bytes_max))
    assert [line for batch, _ in batches for line in batch] == lines
    assert [last for _, last in batches] == [False] * (len(batches) - 1) + [True]
    assert batches == list(cut_batches([Lines.of(lines)], rows_max, bytes_max))
    for batch, last in batches:
        size = sum(map(len, batch))
        assert len(batch) <= rows_max
        assert size - len(batch[-1] if batch else b"") < bytes_max
        assert last or len(batch) == rows_max or size >= bytes_max
