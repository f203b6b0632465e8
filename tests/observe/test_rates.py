"""Rates over a sliding window, and durations in words."""

import pytest

from personastream.core.outcomes import Counts
from personastream.engine.statistics import Statistics
from personastream.observe.rates import WINDOW_S, RateMeter, Rates, duration


def statistics(
    rows: int, requests: int = 0, tokens: int = 0, uncommitted: int = 0, before: int = 0, total: int = 0
) -> Statistics:
    return Statistics(
        committed=Counts(delivered=rows),
        settled_before=before,
        answered=requests,
        input_tokens=tokens,
        uncommitted=uncommitted,
        rows_estimated=total,
    )


def test_nothing_is_known_at_first() -> None:
    assert RateMeter().update(5.0, statistics(10)) == Rates(0.0, 0.0, 0.0, None)


def test_rates_are_differences_over_time() -> None:
    meter = RateMeter()
    meter.update(100.0, statistics(1000, requests=7, tokens=50))
    rates = meter.update(110.0, statistics(1200, requests=47, tokens=250, total=2000))
    assert (rates.rows, rates.requests, rates.tokens) == (20.0, 4.0, 20.0)
    assert rates.eta_s == pytest.approx(40.0)


def test_rows_about_to_be_committed_count() -> None:
    meter = RateMeter()
    meter.update(0.0, statistics(0))
    assert meter.update(10.0, statistics(50, uncommitted=50)).rows == 10.0


def test_what_a_resume_found_is_no_speed() -> None:
    meter = RateMeter()
    meter.update(0.0, statistics(0))
    rates = meter.update(1.0, statistics(1_000_010, before=1_000_000, total=1_000_050))
    assert (rates.rows, rates.eta_s) == (10.0, 4.0)


def test_only_the_last_half_minute_counts() -> None:
    meter = RateMeter()
    for second in range(200):
        rates = meter.update(float(second), statistics(100 * min(second, 100)))
    assert rates.rows == 0.0
    assert len(meter._seen) <= WINDOW_S + 1


def test_the_same_moment_twice_is_no_division_by_zero() -> None:
    meter = RateMeter()
    meter.update(1.0, statistics(0))
    assert meter.update(1.0, statistics(5)) == Rates(0.0, 0.0, 0.0, None)


@pytest.mark.parametrize(("rows", "total"), [(0, 100), (5, 0)])
def test_without_progress_or_an_estimate_the_time_left_is_unknown(rows: int, total: int) -> None:
    meter = RateMeter()
    meter.update(0.0, statistics(0, total=total))
    assert meter.update(10.0, statistics(rows, total=total)).eta_s is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0 s"),
        (59.9, "59 s"),
        (60.0, "1 m 00 s"),
        (185.0, "3 m 05 s"),
        (3600.0, "1 h 00 m"),
        (7800.0, "2 h 10 m"),
        (86400.0, "1 d 00 h"),
        (356_400.0, "4 d 03 h"),
        (2e9, "–"),
        (float("inf"), "–"),
        (float("nan"), "–"),
        (None, "–"),
    ],
)
def test_durations_are_given_in_two_units(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


def test_latencies_are_those_of_the_last_half_minute() -> None:
    meter, seen = RateMeter(), Statistics()
    for _ in range(1000):
        seen.latency.observe(50.0)
    meter.update(0.0, seen)
    assert meter.update(10.0, seen).latency_s == (None, None, None)
    for seconds in [0.95] * 90 + [4.0] * 10:
        seen.latency.observe(seconds)
    half, most, nearly_all = meter.update(20.0, seen).latency_s
    assert half is not None
    assert 0.7 < half <= 1.0
    assert most is not None
    assert 3.0 < most < 5.0
    assert nearly_all is not None
    assert most < nearly_all < 5.0
