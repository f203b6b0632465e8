"""Quantiles, histograms, boxes, ticks and shares, for any numbers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from personastream.report.figures.statistics import box, histogram, quantile, shares, spread, ticks

numbers = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)


@given(numbers, st.floats(0, 1))
def test_a_quantile_is_numpys(values: list[float], share: float) -> None:
    assert quantile(sorted(values), share) == pytest.approx(float(np.quantile(values, share)), abs=1e-6)


@given(numbers)
def test_a_spread_is_in_order(values: list[float]) -> None:
    told = spread(values)
    assert told is not None
    order = [told[name] for name in ("min", "p5", "q1", "median", "q3", "p95", "max")]
    assert order == sorted(order)
    assert told["mean"] == pytest.approx(sum(values) / len(values), abs=1e-6)


@given(numbers)
def test_outliers_lie_beyond_the_whiskers_and_none_within(values: list[float]) -> None:
    told = box(values)
    assert told is not None
    reach = 1.5 * (told["q3"] - told["q1"])
    assert all(value < told["q1"] - reach or value > told["q3"] + reach for value in told["outliers"])
    assert told["count"] == len(values)
    assert len(told["outliers"]) == sum(not told["low"] <= value <= told["high"] for value in values)


def test_there_is_nothing_to_tell_of_no_values() -> None:
    assert (spread([]), box([]), histogram([])) == (None, None, None)


@given(st.lists(st.integers(0, 10_000_000), min_size=1, max_size=80))
def test_a_histogram_counts_every_value_once(values: list[int]) -> None:
    told = histogram(values)
    assert told is not None
    edges, counts = told["edges"], told["counts"]
    assert sum(counts) + told["over"] == len(values)
    assert len(edges) == len(counts) + 1 <= 25
    assert edges[0] == 0
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        assert count == sum(low <= value < high for value in values)


def test_one_giant_does_not_squeeze_the_others_into_one_bin() -> None:
    told = histogram([*range(1000), 10**9])
    assert told is not None
    assert told["over"] < 20
    assert sum(count > 0 for count in told["counts"]) >= 20


@given(st.floats(1e-6, 1e12))
def test_ticks_go_from_nothing_to_the_greatest_and_little_beyond(greatest: float) -> None:
    told = ticks(greatest)
    assert told[0] == 0
    assert told[-1] >= greatest * (1 - 1e-6)
    assert told[-1] - greatest <= (told[1] - told[0]) * (1 + 1e-6)
    assert len(told) <= 6


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 99), min_size=1, max_size=12), st.integers(1, 8))
def test_shares_add_up_with_the_rest(counts: dict[str, int], most: int) -> None:
    told = shares(counts, most)
    assert sum(entry["count"] for entry in told) == sum(counts.values())
    assert math.fsum(entry["share"] for entry in told) == pytest.approx(1)
    named = [entry["count"] for entry in told if entry["name"] is not None]
    assert named == sorted(named, reverse=True)
    assert len(named) == min(most, len(counts))
