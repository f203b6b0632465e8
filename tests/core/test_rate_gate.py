import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.core.rate_gate import BETA, DROPS_SUDDEN, RateGate
from tests.support.effort import tries


def busy(gate: RateGate, rate: float, start_s: float, stop_s: float) -> float:
    """Send `rate` requests per second from one time to the other, all accepted; returns the time of the last."""
    count = int((stop_s - start_s) * rate)
    for number in range(count):
        gate.sent(start_s + number / rate)
    return start_s + (count - 1) / rate


def engaged(rate: float = 10.0) -> RateGate:
    """A gate that was used at `rate` from 0 to 10 s, and has just had its first drop."""
    gate = RateGate(0.0)
    busy(gate, rate, 0.0, 10.0)
    assert gate.dropped(10.0, 9.95)
    return gate


def passed(gate: RateGate, start_s: float, stop_s: float) -> list[float]:
    """When requests pass if there is always one waiting, up to a thousand."""
    times: list[float] = []
    now_s = start_s
    while now_s < stop_s and len(times) < 1000:
        wait_s = gate.wait_s(now_s)
        if wait_s == 0.0:
            gate.sent(now_s)
            times.append(now_s)
        now_s += wait_s
    return times


def test_there_is_no_ceiling_before_the_first_drop() -> None:
    gate = RateGate(0.0)
    assert len(passed(gate, 0.0, 1.0)) == 1000
    assert gate.rate(0.0) == math.inf


def test_a_drop_lowers_the_rate_below_what_was_accepted() -> None:
    assert engaged().rate(10.0) == pytest.approx(BETA * 10.0, rel=0.02)
    assert engaged(200.0).rate(10.0) == pytest.approx(BETA * 200.0, rel=0.02)


def test_only_accepted_requests_count() -> None:
    gate = RateGate(0.0)
    busy(gate, 20.0, 0.0, 10.0)
    for _ in range(100):
        gate.dropped(10.0, 9.0)
    assert gate.rate(10.0) == pytest.approx(BETA * 20.0, rel=0.02)  # the first drop decided; it was one of 200
    gate.wait_s(10.0)
    busy(gate, 17.0, 10.0, 20.0)
    for number in range(70):
        gate.dropped(20.0, 19.0 + number / 100)
    assert gate.rate(20.0) == pytest.approx(BETA * 16.9, rel=0.02)


@given(st.lists(st.floats(0.0, 9.999), max_size=30))
def test_one_decrease_in_an_epoch(sent_s: list[float]) -> None:
    gate = engaged()
    rate = gate.rate(10.0)
    assert [gate.dropped(10.05, early_s) for early_s in sent_s] == [""] * len(sent_s)
    assert gate.rate(10.0) == rate


def test_the_rate_is_flat_near_the_last_drop_then_steep_then_unlimited() -> None:
    gate = engaged()
    rates = [gate.rate(10.0 + seconds) for seconds in (2.1, 4.2, 6.3, 8.4, 16.8)]
    assert rates == pytest.approx([9.8, 10.0, 10.2, 11.5, 50.5], rel=0.02)
    times = passed(gate, 10.0, 24.0)
    assert gate.rate(47.0) < math.inf
    assert gate.wait_s(48.0) == 0.0
    assert not gate.engaged
    assert sum(time_s < 14.2 for time_s in times) == pytest.approx(40, abs=2)


def test_a_drop_of_a_later_request_lowers_the_rate_again() -> None:
    gate = engaged()
    times = passed(gate, 10.0, 18.4)
    assert gate.dropped(18.45, times[-1])
    assert gate.rate(18.45) == pytest.approx(BETA * len(times) / 8.4, rel=0.05)


def test_an_epoch_that_is_too_short_to_tell_is_not_ended_by_a_refusal() -> None:
    gate = engaged(1000.0)
    times = passed(gate, 10.0, 10.9)
    assert not gate.dropped(10.95, times[100])
    assert gate.dropped(11.1, times[200])


def test_many_refusals_at_once_end_an_epoch_however_short() -> None:
    gate = engaged(1000.0)
    times = passed(gate, 10.0, 10.5)
    said = [gate.dropped(10.5, time_s) for time_s in times[100 : 100 + DROPS_SUDDEN]]
    assert [bool(words) for words in said] == [False] * (DROPS_SUDDEN - 1) + [True]


@pytest.mark.parametrize("share", [0.05, 0.15])
def test_refusals_that_no_rate_prevents_are_noise(share: float) -> None:
    """The ceiling goes up although requests are turned away all the time, and only more of that counts."""
    gate, chance, now_s, rates = RateGate(0.0), Random(3), 0.0, []
    while now_s < 300.0:
        wait_s = gate.wait_s(now_s)
        if wait_s > 0.0:
            now_s += wait_s
            continue
        gate.sent(now_s)
        if chance.random() < share:
            gate.dropped(now_s, now_s)
        else:
            gate.answered(now_s)
        rates.append(min(500.0, gate.rate(now_s)))
        now_s += 0.002
    assert sum(rates) / len(rates) > 100.0


def test_a_real_limit_is_found_beneath_the_noise() -> None:
    gate, chance, now_s, tokens, sent, accepted = RateGate(0.0), Random(3), 0.0, 20.0, 0, 0
    filled_s = 0.0
    while now_s < 300.0:
        wait_s = gate.wait_s(now_s)
        if wait_s > 0.0:
            now_s += wait_s
            continue
        gate.sent(now_s)
        tokens, filled_s = min(20.0, tokens + 20.0 * (now_s - filled_s)), now_s
        if tokens < 1.0 or chance.random() < 0.05:
            gate.dropped(now_s, now_s)
        else:
            tokens -= 1.0
            accepted += now_s > 60.0
            gate.answered(now_s)
        sent += now_s > 60.0
        now_s += 0.002
    assert accepted > 0.9 * 20.0 * 240.0
    assert accepted > 0.8 * sent


def test_an_endpoint_that_refuses_everything_is_left_alone_ever_longer_and_keeps_its_rate() -> None:
    gate = engaged()
    now_s, rests = 10.0, []
    for _ in range(6):
        while (wait_s := gate.wait_s(now_s)) > 0.0:
            now_s += wait_s
        gate.sent(now_s)
        now_s += 0.05
        assert gate.dropped(now_s, now_s - 0.05)
        rests.append(gate.wait_s(now_s))
        assert gate.rate(now_s) == pytest.approx(BETA * 10.0, rel=0.03)
    assert rests == pytest.approx([0.5, 1.0, 2.0, 4.0, 8.0, 8.0])


def test_a_refusal_soon_after_the_ceiling_was_lifted_knows_what_was_accepted_before() -> None:
    gate = engaged()
    passed(gate, 10.0, 24.0)
    assert gate.wait_s(48.0) == 0.0
    busy(gate, 3000.0, 48.0, 48.1)
    assert gate.dropped(48.1, 48.09)
    assert gate.rate(48.1) < 50.0


def test_nothing_passes_in_a_pause_and_afterwards_they_pass_one_by_one() -> None:
    gate = engaged()
    gate.pause(10.0, 40.0)
    times = passed(gate, 10.0, 41.0)
    assert times[0] >= 40.0
    assert len(times) <= 1.0 * BETA * 10.0 + 1
    assert gate.rate(40.0) == pytest.approx(BETA * 10.0, rel=0.02)


def test_what_was_saved_up_before_a_pause_is_lost() -> None:
    gate = engaged()
    gate.wait_s(14.2)
    gate.pause(10.0, 20.0)
    assert passed(gate, 14.2, 20.05) == []


def test_after_a_lull_a_burst_is_half_a_second_of_rate() -> None:
    gate = engaged()
    gate.wait_s(12.0)
    assert len(passed(gate, 14.2, 14.21)) == 5


@settings(max_examples=tries(50))
@given(
    st.lists(
        st.tuples(st.sampled_from(["sent", "dropped", "pause"]), st.floats(0.0, 5.0), st.floats(0.0, 20.0)),
        max_size=60,
    )
)
def test_whatever_happens_a_request_passes_before_long(events: list[tuple[str, float, float]]) -> None:
    gate, now_s = RateGate(0.0), 0.0
    for kind, elapsed_s, seconds in events:
        now_s += elapsed_s
        if kind == "sent" and gate.wait_s(now_s) == 0.0:
            gate.sent(now_s)
        elif kind == "dropped":
            gate.dropped(now_s, max(0.0, now_s - seconds))
        elif kind == "pause":
            gate.pause(now_s, now_s + seconds)
    start_s = now_s
    for _ in range(100):
        if (wait_s := gate.wait_s(now_s)) == 0.0:
            break
        assert 0.0 < wait_s < math.inf
        now_s += wait_s
    assert gate.wait_s(now_s) == 0.0
    assert now_s - start_s < 60.0


def test_a_clock_that_stands_still_does_no_harm() -> None:
    gate = RateGate(5.0)
    for _ in range(50):
        gate.sent(5.0)
        gate.dropped(5.0, 5.0)
    assert 0.0 < gate.wait_s(5.0) <= 8.0
    assert math.isfinite(gate.rate(5.0))
