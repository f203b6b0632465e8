import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.core.outcomes import Counts, Outcomes, Usage
from personastream.core.ranges import Overlap
from tests.support.effort import tries

usages = st.builds(Usage, st.integers(0, 10**12), st.integers(0, 10**15), st.integers(0, 10**15))
by_reason = st.dictionaries(st.sampled_from(["exact", "near", "length"]), st.integers(0, 10**9))
all_counts = st.builds(Counts, st.integers(0, 10**9), by_reason, by_reason)


@settings(max_examples=tries(50))
@given(usages, usages)
def test_what_was_spent_adds_up_and_comes_apart_again(first: Usage, second: Usage) -> None:
    assert first + second == second + first
    assert first + second - second == first
    assert first + Usage() == first


@settings(max_examples=tries(50))
@given(all_counts, all_counts)
def test_counts_add_up_by_reason(first: Counts, second: Counts) -> None:
    both = first + second
    assert both == second + first
    assert both.settled == first.settled + second.settled
    assert both.dropped_total == first.dropped_total + second.dropped_total
    assert both.dead_total == first.dead_total + second.dead_total
    assert both.dropped.keys() == first.dropped.keys() | second.dropped.keys()


def test_outcomes_count_each_end_and_settle_all_rows() -> None:
    outcomes = Outcomes([(0, 3)], {"exact": [(3, 4)], "near": [(6, 8)]}, {"length": [(4, 6)]})
    assert outcomes.settled() == [(0, 8)]
    assert outcomes.counts() == Counts(3, {"exact": 1, "near": 2}, {"length": 2})
    assert outcomes.counts().settled == 8
    assert Outcomes().settled() == []
    assert Outcomes().counts() == Counts()


@pytest.mark.parametrize(
    "outcomes",
    [
        Outcomes([(0, 3)], {"exact": [(2, 4)]}),
        Outcomes([(0, 3)], {}, {"length": [(1, 2)]}),
        Outcomes([], {"exact": [(5, 6)], "near": [(5, 6)]}),
    ],
)
def test_a_row_with_two_ends_is_an_overlap(outcomes: Outcomes) -> None:
    with pytest.raises(Overlap):
        outcomes.settled()
