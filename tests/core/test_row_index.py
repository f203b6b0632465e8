"""A row index holds what it was told, thinned, and reads back only for the same shard."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.core import row_index
from personastream.core.row_index import SPACING_BYTES, Points, RowIndex, decode
from tests.support.effort import tries

quick = settings(max_examples=tries(30), deadline=None)
steps = st.lists(st.tuples(st.integers(1, 50_000), st.integers(1, 3 * SPACING_BYTES)), max_size=8)


def index_of(rows: list[tuple[int, int]], frames: list[tuple[int, int]]) -> RowIndex:
    index = RowIndex()
    for points, given_steps in ((index.rows, rows), (index.frames, frames)):
        label = offset = 0
        for more, further in given_steps:
            label, offset = label + more, offset + further
            points.add(label, offset)
    return index


@quick
@given(steps)
def test_points_are_thinned_but_never_far_apart(taken: list[tuple[int, int]]) -> None:
    offsets = index_of(taken, []).rows.offsets
    gaps = [later - sooner for sooner, later in pairwise(offsets)]
    assert all(SPACING_BYTES <= gap < 4 * SPACING_BYTES for gap in gaps)


@quick
@given(steps, st.integers(0, 10**6), st.integers(0, 10**8))
def test_lookups_give_the_last_point_not_above(taken: list[tuple[int, int]], label: int, offset: int) -> None:
    points = index_of(taken, []).rows
    pairs = list(zip(points.labels, points.offsets, strict=True))
    assert points.at_label(label) == max(pair for pair in pairs if pair[0] <= label)
    assert points.at_offset(offset) == max(pair for pair in pairs if pair[1] <= offset)


def test_what_is_already_known_is_not_added_again() -> None:
    points = Points()
    for _ in range(2):
        points.add(5, 2 * SPACING_BYTES)
        points.add(3, SPACING_BYTES)
    assert list(points.labels) == [0, 5]


@quick
@given(steps, steps, st.text(max_size=40))
def test_an_index_reads_back(rows: list[tuple[int, int]], frames: list[tuple[int, int]], fingerprint: str) -> None:
    index = index_of(rows, frames)
    assert decode(index.encode(fingerprint), fingerprint) == index


@quick
@given(steps, steps, st.data())
def test_a_damaged_cut_or_foreign_index_is_refused(
    rows: list[tuple[int, int]], frames: list[tuple[int, int]], data: st.DataObject
) -> None:
    good = index_of(rows, frames).encode("a")
    place = data.draw(st.integers(0, len(good) - 1))
    flipped = bytearray(good)
    flipped[place] ^= 1 << data.draw(st.integers(0, 7))
    for bad in (bytes(flipped), good[:place], good + b"\0"):
        assert decode(bad, "a") is None
    assert decode(good, "b") is None


def test_another_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = RowIndex().encode("a")
    monkeypatch.setattr(row_index, "_FORMAT", "personastream rows 2")
    assert decode(earlier, "a") is None
