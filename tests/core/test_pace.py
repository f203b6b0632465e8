import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from personastream.core.breaker import FAULTS_IN_A_ROW
from personastream.core.pace import PAUSE_S_MAX, Pace
from tests.support.effort import tries

LOW = {
    "x-ratelimit-limit-requests": "100",
    "x-ratelimit-remaining-requests": "0",
    "x-ratelimit-reset-requests": "50s",
}


def fill(pace: Pace, now_s: float, in_flight: int = 0, most: int = 10_000) -> int:
    """Send all that may be sent now; returns how many are in flight then."""
    while in_flight < most and pace.wait_s(now_s, in_flight) == 0.0:
        pace.sent(now_s)
        in_flight += 1
    return in_flight


def steady(in_flight_max: int = 100) -> Pace:
    """A pace that has sent and had answered ten requests a second from 0 to 10 s."""
    pace = Pace(in_flight_max, False, 0.0)
    for number in range(100):
        pace.sent(number / 10)
        pace.answered(number / 10 + 0.5, number / 10, 100, None)
    return pace


def times(pace: Pace, start_s: float, stop_s: float) -> list[float]:
    """When requests go out if each is answered at once."""
    found: list[float] = []
    now_s = start_s
    while now_s < stop_s:
        wait_s = pace.wait_s(now_s, 0)
        if wait_s == 0.0:
            pace.sent(now_s)
            found.append(now_s)
            pace.answered(now_s, now_s, 100, None)
            wait_s = 0.001
        now_s += wait_s
    return found


def test_a_fixed_limit_is_the_limit() -> None:
    pace = Pace(100, False, 0.0)
    assert fill(pace, 0.0) == pace.limit == 100
    assert pace.wait_s(0.0, 100) == math.inf
    assert pace.wait_s(0.0, 10**9) == math.inf


def test_an_adaptive_limit_starts_low_and_grows() -> None:
    pace = Pace(100, True, 0.0)
    in_flight = fill(pace, 0.0)
    assert in_flight == pace.limit == 8
    for second in range(1, 10):
        for _ in range(in_flight):
            pace.answered(float(second), second - 1.0, 100, None)
        in_flight = fill(pace, float(second))
    assert in_flight == pace.limit == 100
    assert pace.reason == "trying more: 100 in flight"


@pytest.mark.parametrize(("pause_s", "blocked_s"), [(20.0, 20.0), (1e308, PAUSE_S_MAX), (math.inf, PAUSE_S_MAX)])
def test_a_pause_holds_for_everyone(pause_s: float, blocked_s: float) -> None:
    pace = steady()
    pace.throttled(10.0, 9.9, pause_s)
    assert pace.blocked_s(10.0) == blocked_s
    assert pace.wait_s(10.0, 0) >= blocked_s
    assert pace.wait_s(9.9 + blocked_s, 0) > 0.0
    assert "rest" in pace.reason


@pytest.mark.parametrize("pause_s", [None, 0.0, -5.0, math.nan, -math.inf])
def test_a_pause_that_means_nothing_closes_nothing(pause_s: float | None) -> None:
    pace = steady()
    pace.throttled(10.0, 9.9, pause_s)
    assert pace.blocked_s(10.0) == 0.0
    assert 0.0 < pace.wait_s(10.0, 0) < 0.2


def test_after_a_pause_not_everyone_returns_at_once() -> None:
    pace = steady()
    pace.throttled(10.0, 9.9, 30.0)
    found = times(pace, 10.0, 42.0)
    assert found[0] >= 40.0
    assert len(found) == pytest.approx(17, abs=2)
    assert max(sum(start_s <= time_s < start_s + 0.2 for time_s in found) for start_s in found) <= 3


def test_where_the_endpoint_says_how_long_no_rest_is_added() -> None:
    pace = steady()
    now_s = 10.0
    for _ in range(6):
        pace.throttled(now_s, now_s - 0.05, 2.0)
        assert pace.wait_s(now_s, 0) <= 2.2
        now_s += 2.0
        while (wait_s := pace.wait_s(now_s, 0)) > 0.0:
            now_s += wait_s
        pace.sent(now_s)
        now_s += 0.05
    assert now_s < 10.0 + 6 * 2.3


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    pace = steady()
    pace.throttled(10.0, 9.9, 30.0)
    pace.throttled(10.1, 9.95, 1.0)
    assert pace.blocked_s(20.0) == 20.0


def test_many_refusals_of_one_burst_lower_the_rate_once() -> None:
    pace = steady()
    pace.throttled(10.0, 9.9, None)
    reason = pace.reason
    for _ in range(50):
        pace.throttled(10.0, 9.9, None)
    assert pace.reason == reason == "requests turned away: 8.42 a second"


def test_refusals_are_forgotten() -> None:
    pace = steady()
    pace.throttled(10.0, 9.9, None)
    assert fill(pace, 10.0) == 0
    assert fill(pace, 60.0) == 100


def test_an_endpoint_that_only_fails_is_left_alone_and_probed() -> None:
    pace = Pace(100, True, 0.0)
    for _ in range(FAULTS_IN_A_ROW):
        pace.sent(0.0)
        pace.failed(1.0, 0.0)
    assert pace.state(1.0) == "open"
    assert pace.wait_s(1.0, 0) == pace.blocked_s(1.0) == 0.5
    assert pace.state(1.5) == "half-open"
    assert fill(pace, 1.5) == 1
    assert pace.wait_s(1.6, 1) == math.inf
    pace.answered(2.0, 1.5, 100, None)
    assert pace.state(2.0) == "closed"
    assert fill(pace, 2.0) == pace.limit


@pytest.mark.parametrize(
    "end",
    [
        lambda pace: pace.ended(2.0, 1.5),
        lambda pace: pace.throttled(2.0, 1.5, None),
        lambda pace: pace.answered(2.0, 1.5, 100, None),
        lambda pace: pace.failed(2.0, 1.5),
        lambda pace: None,
    ],
    ids=["ended", "throttled", "answered", "failed", "lost"],
)
def test_no_end_of_a_probe_leaves_the_endpoint_shut_for_good(end: Callable[[Pace], None]) -> None:
    pace = Pace(100, True, 0.0)
    for _ in range(FAULTS_IN_A_ROW):
        pace.failed(1.0, 0.0)
    assert fill(pace, 1.5, most=1) == 1
    end(pace)
    assert times(pace, 2.0, 8.0)


def test_a_probe_that_says_nothing_makes_room_for_another_beside_old_requests() -> None:
    pace = Pace(100, True, 0.0)
    for _ in range(FAULTS_IN_A_ROW):
        pace.failed(1.0, 0.0)
    assert fill(pace, 1.5, in_flight=3) == 4
    pace.ended(2.0, 0.5)
    assert pace.wait_s(2.0, 3) == math.inf
    pace.ended(2.0, 1.5)
    assert pace.wait_s(2.0, 2) == 0.0


def test_if_more_in_flight_only_fail_fewer_are_sent() -> None:
    pace = Pace(100, True, 0.0)
    in_flight = fill(pace, 0.0)
    for second in range(1, 8):
        for number in range(in_flight):
            if in_flight == 8 or number % 8 == 0:
                pace.answered(float(second), second - 1.0, 100, None)
            else:
                pace.failed(float(second), second - 1.0)
        in_flight = fill(pace, float(second))
    assert pace.limit <= 8
    assert pace.state(8.0) == "closed"


def test_failures_here_and_there_open_nothing() -> None:
    pace = Pace(100, False, 0.0)
    for number in range(1000):
        pace.sent(float(number))
        if number % FAULTS_IN_A_ROW:
            pace.failed(number + 0.5, number)
        else:
            pace.answered(number + 0.5, number, 100, None)
    assert pace.state(1000.0) == "closed"
    assert fill(pace, 1000.0) == 100


def test_headers_that_tell_of_the_end_close_the_endpoint_for_a_moment() -> None:
    pace = steady()
    pace.answered(10.1, 10.0, 100, LOW)
    assert pace.blocked_s(10.0) == pytest.approx(0.04 * 50.0)
    assert fill(pace, 10.2) == 0
    assert fill(pace, 12.1) == 100
    pace.answered(13.1, 13.0, 100, LOW)
    assert fill(pace, 13.2) == 0
    pace.answered(13.3, 13.1, 100, LOW | {"x-ratelimit-remaining-requests": "90"})
    assert fill(pace, 13.3) == 100


def test_little_work_or_a_rate_in_the_way_leave_the_limit_alone() -> None:
    pace = Pace(1000, True, 0.0)
    for number in range(3000):
        now_s = number / 10
        assert pace.wait_s(now_s, 3) == 0.0
        pace.sent(now_s)
        pace.answered(now_s, now_s - 0.3, 100, None)
    assert pace.limit == 8


class AnyEndpoint(RuleBasedStateMachine):
    """An endpoint that does anything at any time, and a client that keeps the contract."""

    @initialize(in_flight_max=st.integers(1, 50), adaptive=st.booleans())
    def start(self, in_flight_max: int, adaptive: bool) -> None:
        self.now_s = 0.0
        self.pace = Pace(in_flight_max, adaptive, self.now_s)
        self.in_flight: list[float] = []
        self.sent_while_not_closed = 0

    @rule(seconds=st.sampled_from([0.0, 0.0, 0.01, 0.5, 3.0, 30.0]))
    def later(self, seconds: float) -> None:
        self.now_s += seconds

    @rule()
    def send(self) -> None:
        while self.pace.wait_s(self.now_s, len(self.in_flight)) == 0.0:
            assert len(self.in_flight) < self.pace.in_flight_max
            if self.pace.state(self.now_s) != "closed":
                assert self.pace.state(self.now_s) == "half-open"
            self.pace.sent(self.now_s)
            self.in_flight.append(self.now_s)
            if self.pace.state(self.now_s) == "half-open":
                assert self.pace.wait_s(self.now_s, len(self.in_flight)) == math.inf

    @precondition(lambda self: self.in_flight)
    @rule(
        data=st.data(),
        end=st.sampled_from(["answered", "throttled", "failed", "ended"]),
        count=st.integers(1, 30),
        pause_s=st.one_of(st.none(), st.floats()),
        tokens=st.integers(-(2**70), 2**70),
        headers=st.one_of(st.none(), st.just(LOW)),
    )
    def finish(
        self,
        data: st.DataObject,
        end: str,
        count: int,
        pause_s: float | None,
        tokens: int,
        headers: dict[str, str] | None,
    ) -> None:
        for _ in range(min(count, len(self.in_flight))):
            sent_s = self.in_flight.pop(data.draw(st.integers(0, len(self.in_flight) - 1)))
            match end:
                case "answered":
                    self.pace.answered(self.now_s, sent_s, tokens, headers)
                case "throttled":
                    self.pace.throttled(self.now_s, sent_s, pause_s)
                case "failed":
                    self.pace.failed(self.now_s, sent_s)
                case _:
                    self.pace.ended(self.now_s, sent_s)

    @invariant()
    def the_limit_is_one_that_was_asked_for(self) -> None:
        assert 1 <= self.pace.limit <= self.pace.in_flight_max
        assert self.pace.blocked_s(self.now_s) >= 0.0

    def teardown(self) -> None:
        """When nothing is in flight, waiting as told leads to a request."""
        for sent_s in getattr(self, "in_flight", []):
            self.pace.ended(self.now_s, sent_s)
        for _ in range(50):
            wait_s = self.pace.wait_s(self.now_s, 0)
            if wait_s == 0.0:
                return
            assert 0.0 < wait_s <= PAUSE_S_MAX + 10.0
            self.now_s += wait_s
        raise AssertionError("waiting led to nothing")


TestAnyEndpoint = AnyEndpoint.TestCase
TestAnyEndpoint.settings = settings(max_examples=tries(60), stateful_step_count=40, deadline=None)


@settings(max_examples=tries(50))
@given(st.lists(st.sampled_from(["answered", "throttled", "failed", "ended"]), max_size=60))
def test_a_clock_that_stands_still_does_no_harm(ends: list[str]) -> None:
    pace = Pace(10, True, 7.0)
    for end in ends:
        if pace.wait_s(7.0, 0) > 0.0:
            continue
        pace.sent(7.0)
        match end:
            case "answered":
                pace.answered(7.0, 7.0, 0, None)
            case "throttled":
                pace.throttled(7.0, 7.0, None)
            case "failed":
                pace.failed(7.0, 7.0)
            case _:
                pace.ended(7.0, 7.0)
    assert times(pace, 7.0, 30.0)
