"""Token buckets and the headers that tell of them."""

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.simulator.buckets import Bucket, RateLimits, go_duration, retry_headers
from tests.support.effort import tries

few = settings(max_examples=tries(50))
gaps_s = st.lists(st.floats(0, 5), min_size=1, max_size=30)


def seconds(duration: bytes) -> float:
    """Read a Go duration."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    parts = re.findall(r"([\d.]+)(ms|h|m|s)", duration.decode())
    assert "".join(number + unit for number, unit in parts) == duration.decode()
    return sum(float(number) * units[unit] for number, unit in parts)


@few
@given(gaps_s, st.integers(1, 600), st.floats(0.01, 60), st.lists(st.integers(1, 20), min_size=30, max_size=30))
def test_no_window_admits_more_than_its_rate_and_one_capacity(
    gaps: list[float], per_minute: int, burst_s: float, amounts: list[int]
) -> None:
    bucket, now_s = Bucket(per_minute, burst_s), 0.0
    admitted: list[tuple[float, int]] = []
    for gap_s, amount in zip(gaps, amounts, strict=False):
        now_s += gap_s
        if bucket.wait_s(amount, now_s) == 0:
            bucket.take(amount)
            admitted.append((now_s, amount))
    for place, (start_s, _) in enumerate(admitted):
        total = 0
        for end_s, amount in admitted[place:]:
            total += amount
            assert total <= per_minute / 60 * (end_s - start_s) + bucket.capacity + 1e-6


@few
@given(st.integers(1, 6000), st.floats(0.01, 60), st.integers(1, 100), st.integers(1, 100))
def test_waiting_as_long_as_told_is_enough(per_minute: int, burst_s: float, taken: int, wanted: int) -> None:
    bucket = Bucket(per_minute, burst_s)
    if bucket.wait_s(taken, 0.0) == 0:
        bucket.take(taken)
    wait_s = bucket.wait_s(wanted, 0.0)
    if wanted > bucket.capacity:
        assert math.isinf(wait_s)
    else:
        assert wait_s == 0 or bucket.wait_s(wanted, wait_s * 0.99) > 0
        assert bucket.wait_s(wanted, wait_s + 1e-6) == 0


def test_a_bucket_starts_full_and_refills_at_its_rate() -> None:
    bucket = Bucket(per_minute=60, burst_s=10)
    assert bucket.wait_s(10, 100.0) == 0
    bucket.take(10)
    assert bucket.wait_s(1, 100.0) == pytest.approx(1.0)
    assert bucket.full_in_s(100.0) == pytest.approx(10.0)
    assert bucket.wait_s(4, 104.0) == 0
    assert bucket.full_in_s(1e9) == 0


def test_time_that_goes_back_gives_nothing() -> None:
    bucket = Bucket(per_minute=60, burst_s=1)
    assert bucket.wait_s(1, 100.0) == 0
    bucket.take(1)
    assert bucket.wait_s(1, 50.0) == pytest.approx(1.0)
    assert bucket.wait_s(1, 100.5) == pytest.approx(0.5)


def test_what_remains_is_told_as_part_of_the_limit_per_minute() -> None:
    bucket = Bucket(per_minute=600, burst_s=1)
    assert bucket.remaining(0.0) == 600
    bucket.take(5)
    assert bucket.remaining(0.0) == 300


def test_a_refused_request_takes_from_neither_bucket() -> None:
    limits = RateLimits({"requests": 60, "tokens": 600}, burst_s=60)
    assert limits.admit(600, 0, 0.0) is None
    for _ in range(5):
        refusal = limits.admit(10, 0, 0.0)
        assert refusal is not None
        assert (refusal.kind, refusal.per_minute, refusal.requested, refusal.remaining) == ("tokens", 600, 10, 0)
        assert refusal.wait_s == pytest.approx(1.0)
    assert b"x-ratelimit-remaining-requests: 59\r\n" in limits.openai_headers(0.0)


def test_the_longer_wait_is_told() -> None:
    limits = RateLimits({"requests": 1, "tokens": 60}, burst_s=60)
    assert limits.admit(60, 0, 0.0) is None
    refusal = limits.admit(1, 0, 0.0)
    assert refusal is not None
    assert refusal.kind == "requests"
    assert refusal.wait_s == pytest.approx(60.0)


def test_a_request_larger_than_the_bucket_can_never_pass() -> None:
    refusal = RateLimits({"tokens": 600}, burst_s=1).admit(11, 0, 0.0)
    assert refusal is not None
    assert math.isinf(refusal.wait_s)
    assert retry_headers(refusal.wait_s) == b""


def test_without_limits_all_passes_and_nothing_is_told() -> None:
    limits = RateLimits({"requests": 0}, 60)
    assert not limits
    assert all(limits.admit(10**9, 0, 0.0) is None for _ in range(10))
    assert limits.openai_headers(0.0) == b""


def test_headers_name_limit_remainder_and_reset() -> None:
    limits = RateLimits({"requests": 3500, "tokens": 90_000}, burst_s=60)
    assert limits.admit(3, 0, 0.0) is None
    assert limits.openai_headers(0.0).split(b"\r\n")[:-1] == [
        b"x-ratelimit-limit-requests: 3500",
        b"x-ratelimit-remaining-requests: 3499",
        b"x-ratelimit-reset-requests: 18ms",
        b"x-ratelimit-limit-tokens: 90000",
        b"x-ratelimit-remaining-tokens: 89997",
        b"x-ratelimit-reset-tokens: 2ms",
    ]


@pytest.mark.parametrize(
    ("duration_s", "shown"),
    [
        (0.0, b"0s"),
        (0.0001, b"1ms"),
        (0.017, b"17ms"),
        (0.9999, b"1s"),
        (1.5, b"1.5s"),
        (59.9999, b"1m0s"),
        (360.0, b"6m0s"),
        (3600.0, b"1h0m0s"),
        (86_256.648, b"23h57m36.648s"),
    ],
)
def test_durations_read_as_go_prints_them(duration_s: float, shown: bytes) -> None:
    assert go_duration(duration_s) == shown


@given(st.floats(0, 1e6))
def test_a_go_duration_is_never_too_short_and_less_than_a_millisecond_too_long(duration_s: float) -> None:
    assert duration_s - 1e-6 <= seconds(go_duration(duration_s)) < duration_s + 0.001 + 1e-6


def test_retry_headers_round_up() -> None:
    assert retry_headers(0.0171) == b"retry-after: 1\r\nretry-after-ms: 18\r\n"
    assert retry_headers(20.0) == b"retry-after: 20\r\nretry-after-ms: 20000\r\n"
