"""Ranges in arrays answer as lists of the same ranges do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zstandard import ZstdCompressor

from personastream.core import frame_log, ranges
from personastream.core.outcomes import Outcomes, Usage
from personastream.core.packed_ranges import PackedRanges
from personastream.core.ranges import Overlap
from tests.support.effort import tries

NUMBERS = st.sets(st.integers(0, 60), max_size=40)
NAME = frame_log.PartName("run", "shard", "data", 0)
quick = settings(max_examples=tries(50))


def packed(numbers: set[int]) -> PackedRanges:
    return PackedRanges.of(np.array(sorted(numbers), np.int64))


@quick
@given(NUMBERS)
def test_they_are_a_sequence_of_the_same_ranges(numbers: set[int]) -> None:
    plain, found = ranges.from_numbers(numbers), packed(numbers)
    assert found == plain
    assert len(found) == len(plain)
    assert [found[at] for at in range(-len(plain), len(plain))] == plain * 2
    assert found[1:] == plain[1:]
    assert ranges.count(found) == ranges.count(plain) == len(numbers)
    assert ranges.watermark(found) == ranges.watermark(plain)
    assert [ranges.contains(found, number) for number in range(62)] == [number in numbers for number in range(62)]


@quick
@given(NUMBERS, st.data())
def test_a_number_given_twice_is_an_overlap(numbers: set[int], data: st.DataObject) -> None:
    twice = data.draw(st.sampled_from(sorted(numbers or {0})))
    with pytest.raises(Overlap) as caught:
        PackedRanges.of(np.array(sorted([*numbers, twice, twice]), np.int64))
    assert caught.value.number == twice


@quick
@given(st.lists(NUMBERS, max_size=5), st.sampled_from([packed, ranges.from_numbers]))
def test_a_union_holds_every_row_if_no_row_is_there_twice(sets: list[set[int]], last: type[PackedRanges]) -> None:
    everything = set[int]().union(*sets)
    given_sets = [*map(packed, sets[:-1]), *map(last, sets[-1:])]
    if len(everything) == sum(map(len, sets)):
        assert ranges.union_all(given_sets) == ranges.from_numbers(everything)
        return
    with pytest.raises(Overlap) as caught:
        ranges.union_all(given_sets)
    assert sum(caught.value.number in rows for rows in sets) > 1


@quick
@given(NUMBERS)
def test_a_commit_with_them_is_the_same_to_the_byte(numbers: set[int]) -> None:
    delivered, dropped = {number for number in numbers if number % 3}, {number for number in numbers if not number % 3}
    plain = Outcomes(ranges.from_numbers(delivered), {"dedup": ranges.from_numbers(dropped)})
    arrays = Outcomes(packed(delivered), {"dedup": packed(dropped)})
    commits = [
        frame_log.encode_commit(NAME, 0, frame_log.NO_TRAILER, [b"{}"], outcomes, Usage(), ZstdCompressor())
        for outcomes in (plain, arrays)
    ]
    assert commits[0] == commits[1]
    assert plain.counts() == arrays.counts()
    assert plain.settled() == arrays.settled()
