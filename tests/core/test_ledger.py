from itertools import islice

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from personastream.core import ranges
from personastream.core.ledger import Ledger, LengthEstimate
from personastream.core.ranges import Overlap
from tests.support.effort import tries

groups = st.tuples(st.lists(st.integers(0, 39), unique=True), st.lists(st.integers(1, 7), max_size=9)).map(
    lambda drawn: split(*drawn)
)


def split(order: list[int], sizes: list[int]) -> list[list[int]]:
    """The first numbers of `order` in groups of these sizes."""
    taken = iter(order)
    found = [list(islice(taken, size)) for size in sizes]
    return [group for group in found if group]


@settings(max_examples=tries(50))
@given(groups)
def test_a_ledger_knows_what_a_set_would(settled: list[list[int]]) -> None:
    ledger, rows = Ledger(), set[int]()
    for group in settled:
        ledger.settle(ranges.from_numbers(group))
        rows.update(group)
        assert len(ledger) == len(rows)
        assert [number for number in range(45) if number in ledger] == sorted(rows)
        assert ledger.watermark == min(set(range(45)) - rows)
        assert ledger.stop == max(rows) + 1
        assert [length for length in range(45) if ledger.covers(length)] == list(range(ledger.watermark + 1))


@settings(max_examples=tries(50))
@given(groups, st.lists(st.integers(0, 45), unique=True).map(sorted))
@example([[0, 1, 2]], [1, 2, 3])
@example([[0, 1, 2, 5]], [2, 3])
@example([[0, 1, 2, 5]], [5, 6])
def test_rows_that_are_not_settled_are_picked_out_in_order(settled: list[list[int]], asked: list[int]) -> None:
    rows = {number for group in settled for number in group}
    ledger = Ledger(ranges.from_numbers(rows))
    assert list(ledger.unsettled(asked)) == [number for number in asked if number not in rows]


def test_a_row_settles_once() -> None:
    ledger = Ledger([(0, 5)])
    with pytest.raises(Overlap):
        ledger.settle([(4, 6)])
    assert len(ledger) == 5


def test_a_ledger_stays_small_while_rows_settle_nearly_in_order() -> None:
    ledger = Ledger()
    for start in range(0, 100_000, 100):
        ledger.settle([(start + 50, start + 100)])
        ledger.settle([(start, start + 50)])
        assert len(ledger._settled) == 1


def test_an_empty_shard_is_covered_from_the_start() -> None:
    assert Ledger().covers(0)
    assert not Ledger().covers(1)


@settings(max_examples=tries(50))
@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(1, 10**10)), min_size=1, max_size=20))
def test_an_estimate_is_exact_once_everything_was_read(shards: list[tuple[int, int]]) -> None:
    estimate = LengthEstimate(sum(size for _, size in shards))
    for rows, size_bytes in shards:
        known = estimate.rows()
        estimate.finished(rows, size_bytes)
        assert estimate.rows() >= rows
        assert known >= 0
    assert estimate.rows() == sum(rows for rows, _ in shards)


@settings(max_examples=tries(50))
@given(st.integers(0, 10**7), st.integers(0, 10**9), st.integers(0, 10**7), st.integers(0, 10**9))
def test_an_estimate_is_never_less_than_what_is_known(rows: int, size: int, current_rows: int, current: int) -> None:
    estimate = LengthEstimate(10**9)
    estimate.finished(rows, size)
    assert estimate.rows(current_rows, current) >= (rows + current_rows if size + current else 0)


def test_an_estimate_follows_the_rows_per_byte_seen_so_far() -> None:
    estimate = LengthEstimate(1000)
    assert estimate.rows() == 0
    assert estimate.rows(10, 100) == 100
    estimate.finished(30, 200)
    assert estimate.rows() == 150
    assert estimate.rows(20, 50) == 200
