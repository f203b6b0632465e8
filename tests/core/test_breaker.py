import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.core.breaker import FAULTS_IN_A_ROW, OPEN_S, OPEN_S_MAX, Breaker
from tests.support.effort import tries


def opened(now_s: float = 100.0) -> Breaker:
    breaker = Breaker()
    assert [breaker.failed(now_s, now_s - 1.0) for _ in range(FAULTS_IN_A_ROW)] == [False] * 9 + [True]
    return breaker


def test_ten_faults_in_a_row_open_it() -> None:
    breaker = opened()
    assert breaker.state(100.0) == "open"
    assert breaker.wait_s(100.0) == OPEN_S
    assert breaker.wait_s(100.4) > 0.0


def test_an_answer_in_between_starts_the_count_again() -> None:
    breaker = Breaker()
    for _ in range(5):
        for _ in range(FAULTS_IN_A_ROW - 1):
            assert not breaker.failed(1.0, 0.0)
        breaker.answered(0.5)
    assert breaker.state(1.0) == "closed"


def test_half_open_lets_one_probe_pass_and_its_answer_closes_it() -> None:
    breaker = opened()
    assert breaker.state(100.5) == "half-open"
    assert breaker.wait_s(100.5) == 0.0
    breaker.sent(100.5)
    assert breaker.wait_s(100.6) == math.inf
    assert breaker.answered(100.5)
    assert breaker.state(101.0) == "closed"
    assert breaker.wait_s(101.0) == 0.0


def test_a_probe_that_fails_doubles_the_rest_up_to_a_limit() -> None:
    breaker, now_s, rests = opened(), 100.0, []
    for _ in range(6):
        rests.append(breaker.wait_s(now_s))
        now_s += rests[-1]
        breaker.sent(now_s)
        assert breaker.failed(now_s + 0.1, now_s)
        now_s += 0.1
    assert rests == pytest.approx([0.5, 1.0, 2.0, 4.0, OPEN_S_MAX, OPEN_S_MAX])


def test_the_rest_is_short_again_after_an_answer() -> None:
    breaker = opened()
    breaker.sent(100.5)
    breaker.failed(100.6, 100.5)
    breaker.sent(102.0)
    breaker.answered(102.0)
    for _ in range(FAULTS_IN_A_ROW):
        breaker.failed(110.0, 109.0)
    assert breaker.wait_s(110.0) == OPEN_S


def test_what_was_sent_before_it_opened_changes_nothing() -> None:
    breaker = opened()
    assert not breaker.answered(99.0)
    assert not breaker.failed(100.2, 99.0)
    breaker.sent(100.5)
    breaker.ended(99.0)
    assert not breaker.answered(99.0)
    assert not breaker.failed(100.7, 99.0)
    assert breaker.wait_s(101.0) == math.inf


def test_a_probe_that_says_nothing_makes_room_for_another() -> None:
    breaker = opened()
    breaker.sent(100.5)
    breaker.ended(100.5)
    assert breaker.wait_s(100.6) == 0.0
    assert breaker.state(100.6) == "half-open"


@settings(max_examples=tries(50))
@given(st.data())
def test_at_most_one_probe_is_out_and_none_is_ever_lost(data: st.DataObject) -> None:
    breaker, now_s = opened(), 100.0
    old = [99.0] * 5
    probes: list[float] = []
    for _ in range(data.draw(st.integers(0, 40))):
        now_s += data.draw(st.sampled_from([0.0, 0.1, 1.0, 6.0]))
        if breaker.closed:
            break
        if breaker.wait_s(now_s) == 0.0:
            breaker.sent(now_s)
            probes.append(now_s)
        assert len(probes) <= 1
        source = old if old and (not probes or data.draw(st.booleans())) else probes
        if source:
            sent_s = source.pop()
            end = data.draw(st.sampled_from(["failed", "failed", "ended", "answered"]))
            if end == "failed":
                breaker.failed(now_s, sent_s)
            elif end == "ended":
                breaker.ended(sent_s)
            else:
                assert breaker.answered(sent_s) == (source is probes)
    if not probes:
        assert breaker.wait_s(now_s) <= OPEN_S_MAX
