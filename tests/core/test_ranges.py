from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.core import ranges
from personastream.core.ranges import Overlap, Range
from tests.support.effort import tries

numbers = st.sets(st.integers(0, 60), max_size=40)


def expand(rows: list[Range]) -> set[int]:
    return {number for start, stop in rows for number in range(start, stop)}


@settings(max_examples=tries(50))
@given(st.lists(st.integers(0, 60), unique=True))
def test_numbers_in_any_order_become_the_fewest_ranges(given_numbers: list[int]) -> None:
    found = ranges.from_numbers(given_numbers)
    assert expand(found) == set(given_numbers)
    assert all(start < stop for start, stop in found)
    assert all(left[1] < right[0] for left, right in pairwise(found))


@settings(max_examples=tries(50))
@given(numbers, st.data())
def test_a_number_given_twice_is_an_overlap(given_numbers: set[int], data: st.DataObject) -> None:
    twice = data.draw(st.sampled_from(sorted(given_numbers or {0})))
    with pytest.raises(Overlap) as caught:
        ranges.from_numbers([*given_numbers, twice, twice])
    assert caught.value.number == twice


@settings(max_examples=tries(50))
@given(st.lists(numbers, max_size=5))
def test_a_union_holds_every_row_if_no_row_is_there_twice(sets: list[set[int]]) -> None:
    everything = set().union(*sets)
    given_sets = [ranges.from_numbers(rows) for rows in sets]
    if len(everything) == sum(map(len, sets)):
        assert ranges.union_all(given_sets) == ranges.from_numbers(everything)
        return
    with pytest.raises(Overlap) as caught:
        ranges.union_all(given_sets)
    assert sum(caught.value.number in rows for rows in sets) > 1


@settings(max_examples=tries(50))
@given(numbers)
def test_questions_about_a_set_are_answered_as_a_set_would(rows: set[int]) -> None:
    found = ranges.from_numbers(rows)
    assert ranges.count(found) == len(rows)
    assert [number for number in range(-1, 63) if ranges.contains(found, number)] == sorted(rows)
    assert ranges.watermark(found) == next(number for number in range(100) if number not in rows)


def test_an_overlap_says_which_row() -> None:
    with pytest.raises(Overlap, match="row 7 is in both sets"):
        ranges.union_all([[(0, 8)], [(7, 9)]])
