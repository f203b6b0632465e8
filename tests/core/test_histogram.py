"""Histograms of durations, and percentiles read from them."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personastream.core.histogram import BOUNDS_S, Histogram, quantile_s

DURATIONS = st.lists(st.floats(0.0, 700.0), min_size=1, max_size=200)


def test_bounds_rise_by_less_than_the_half_again() -> None:
    assert (BOUNDS_S[0], BOUNDS_S[-1]) == (0.001, 700.0)
    assert all(1.0 < upper / lower <= 5 / 3 for lower, upper in itertools.pairwise(BOUNDS_S))


def test_a_duration_lies_at_or_below_the_bound_of_its_bucket() -> None:
    histogram = Histogram()
    for seconds in (0.0, 0.001, 0.0011, 700.0, 700.1):
        histogram.observe(seconds)
    assert histogram.counts[:2] == [2, 1]
    assert histogram.counts[-2:] == [1, 1]
    assert histogram.sum_s == pytest.approx(1400.1021)


@given(DURATIONS, st.floats(0.01, 1.0))
def test_a_percentile_lies_in_the_bucket_of_the_true_one(durations: list[float], share: float) -> None:
    histogram = Histogram()
    for seconds in durations:
        histogram.observe(seconds)
    found = quantile_s(histogram.counts, share)
    wanted = share * len(durations)
    true = next(each for place, each in enumerate(sorted(durations), 1) if place >= wanted)
    upper = next(bound for bound in BOUNDS_S if bound >= true)
    lower = max((bound for bound in BOUNDS_S if bound < true), default=0.0)
    assert found is not None
    assert lower <= found <= upper * (1 + 1e-9)


def test_of_nothing_there_is_no_percentile() -> None:
    assert quantile_s(Histogram().counts, 0.5) is None


def test_what_lies_above_all_bounds_is_told_as_the_last_one() -> None:
    histogram = Histogram()
    histogram.observe(1e9)
    assert quantile_s(histogram.counts, 0.5) == BOUNDS_S[-1]
