"""Near copies in a sliding window, against a plain search; sums by model; and how all of it survives as JSON."""

from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from personastream.core.extraction import DISTANCE_MAX, EXAMPLES_MAX, JUDGED_MIN, Drawn, NearCopies, Reading, Tally

BASES = st.sampled_from([0, 0xFFFF_FFFF_FFFF_FFFF, 0x0123_4567_89AB_CDEF, 0xF0F0_F0F0_F0F0_F0F0])
FLIPS = st.lists(st.integers(0, 63), max_size=6)


def flipped(base: int, bits: list[int]) -> int:
    for bit in bits:
        base ^= 1 << bit
    return base


@given(st.lists(st.builds(flipped, BASES, FLIPS), max_size=50), st.integers(1, 20))
def test_near_copies_are_those_that_a_plain_search_finds(signatures: list[int], window: int) -> None:
    near, flags = NearCopies(window), []
    for place, signature in enumerate(signatures):
        others = signatures[max(0, place - window) : place]
        expected = any((signature ^ other).bit_count() <= DISTANCE_MAX for other in others)
        assert near.take(signature) == expected
        flags.append(expected)
        assert near.copies == sum(flags[-window:])
        assert len(near.last) == min(window, place + 1)


def test_memory_is_bounded_by_the_window() -> None:
    near = NearCopies(100)
    for number in range(5000):
        near.take(number * 0x9E37_79B9_7F4A_7C15 % 2**64)
    assert len(near._by_quarter) <= 400
    assert sum(map(len, near._by_quarter.values())) == 400


def test_few_replies_are_not_judged() -> None:
    near = NearCopies(1000)
    for _ in range(JUDGED_MIN - 1):
        near.take(7)
    assert near.share == 0
    near.take(7)
    assert near.share == (JUDGED_MIN - 1) / JUDGED_MIN


DRAWN = st.builds(
    Drawn,
    st.integers(0, 99).map("a:{}".format),
    st.sampled_from(["m", "n"]),
    st.integers(0, 1000),
    st.builds(flipped, BASES, FLIPS),
    st.booleans(),
)


@given(st.lists(DRAWN, max_size=40), st.integers(0, 40))
def test_a_tally_goes_on_as_if_it_had_never_been_put_away(drawn: list[Drawn], cut: int) -> None:
    whole, half = Tally(NearCopies(10)), Tally(NearCopies(10))
    for each in drawn:
        whole.take(each)
    for each in drawn[:cut]:
        half.take(each)
    half = Tally.from_dict(orjson.loads(orjson.dumps(half.as_dict())), 10)
    for each in drawn[cut:]:
        half.take(each)
    assert half.as_dict() == whole.as_dict()
    assert whole.overlaps == sum(each.overlaps for each in drawn)
    assert sum(whole.output_tokens.values()) == sum(each.output_tokens for each in drawn)
    assert len(whole.overlapping) <= EXAMPLES_MAX


@pytest.mark.parametrize("told", [{}, {"records": 1}, {"records": {}, "output_tokens": {}, "overlaps": "x"}])
def test_what_is_no_tally_is_refused(told: dict[str, object]) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        Tally.from_dict(told, 10)


def test_only_the_first_record_of_a_row_is_compared() -> None:
    tally = Tally(NearCopies(10))
    for name in ("a#1:0#0", "a#1:0#1", "a#1:0#2", "a#1:1#0", "a#1:2"):
        tally.take(Drawn(name, "m", 1, 7, False))
    assert (len(tally.near.last), list(tally.copies), tally.records["m"]) == (3, ["a#1:1#0", "a#1:2"], 5)


def test_a_cap_is_passed_only_beyond_it() -> None:
    readings = [Reading("x", value, 10, "cap") for value in (9, 10, 11)]
    assert [reading.is_passed for reading in readings] == [False, False, True]
    assert all(one.value < other.value for one, other in pairwise(readings))
