import heapq
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.core.goodput_gate import LIMIT_START, GoodputGate, Trial
from tests.support.effort import tries

LatencyS = Callable[[int], float]


class Line:
    """Keeps as many requests in flight as the gate allows, or as there is work for; all take the same time."""

    def __init__(self, gate: GoodputGate, latency_s: LatencyS, *, work: int = 1 << 30, tokens: int = 100) -> None:
        self.gate, self.latency_s, self.work, self.tokens = gate, latency_s, work, tokens
        self.now_s = 0.0
        self.limits = {gate.limit}
        self._ends: list[float] = []

    def run(self, until_s: float) -> None:
        while True:
            self._fill()
            if not self._ends or self._ends[0] > until_s:
                break
            self.now_s = heapq.heappop(self._ends)
            self.gate.completed(self.now_s, self.tokens)
            self.limits.add(self.gate.limit)
        self.now_s = until_s

    def _fill(self) -> None:
        while len(self._ends) < min(self.gate.limit, self.work):
            heapq.heappush(self._ends, self.now_s + self.latency_s(len(self._ends) + 1))
        if len(self._ends) >= self.gate.limit:
            self.gate.full()


def one_second(_: int) -> float:
    return 1.0


def slots(count: int) -> LatencyS:
    """A server that serves `count` at once, a second each, and lets the others queue."""
    return lambda in_flight: max(1.0, in_flight / count)


def test_two_thousand_are_in_flight_after_eight_latencies() -> None:
    line = Line(GoodputGate(2000, 0.0), one_second)
    line.run(8.5)
    assert line.gate.limit == 2000
    line.run(60.0)
    assert max(line.limits) == 2000


def test_it_starts_low_and_never_above_what_is_allowed() -> None:
    assert GoodputGate(4096, 0.0).limit == LIMIT_START
    line = Line(GoodputGate(3, 0.0), one_second)
    line.run(500.0)
    assert line.limits <= {1, 2, 3}
    assert line.gate.limit in (2, 3)


@pytest.mark.parametrize("count", [4, 16, 100, 256])
@pytest.mark.slow
def test_it_settles_where_more_only_wait_longer(count: int) -> None:
    line = Line(GoodputGate(4096, 0.0), slots(count))
    line.run(600.0)
    limits = []
    for _ in range(50):
        line.run(line.now_s + 20.0)
        limits.append(line.gate.limit)
    assert 0.75 * count <= sorted(limits)[25] <= 1.3 * count


@pytest.mark.slow
def test_noise_does_not_make_it_settle_low() -> None:
    draws = random.Random(7)
    line = Line(GoodputGate(300, 0.0), lambda _: draws.lognormvariate(0.0, 1.0))
    line.run(100.0)
    low = 0
    for _ in range(150):
        line.run(line.now_s + 10.0)
        low += line.gate.limit < 200
    assert low <= 15


def test_little_work_teaches_nothing() -> None:
    line = Line(GoodputGate(4096, 0.0), one_second)
    line.run(6.5)
    assert line.gate.limit == 512
    line.work = 5
    line.run(1000.0)
    assert line.gate.limit == 512


def test_it_grows_again_when_the_endpoint_does() -> None:
    line = Line(GoodputGate(4096, 0.0), slots(16))
    line.run(600.0)
    assert line.gate.limit <= 25
    line.latency_s = slots(400)
    line.run(1200.0)
    assert line.gate.limit >= 300


def test_failures_of_what_was_added_lead_back() -> None:
    line = Line(GoodputGate(4096, 0.0), one_second)
    line.run(2.5)
    assert (line.gate.limit, line.gate.trial) == (32, Trial.MORE)
    line.tokens = 0
    line.run(6.5)
    assert line.gate.limit < 32
    line.tokens = 100
    line.run(120.0)
    assert line.gate.limit > 500


def test_a_breakdown_while_trying_more_leads_back() -> None:
    line = Line(GoodputGate(4096, 0.0), one_second)
    line.run(4.5)
    assert line.gate.limit == 128
    line.gate.broke_down(line.now_s)
    assert (line.gate.limit, line.gate.trial) == (32, Trial.HOLD)
    line.gate.broke_down(line.now_s)
    assert (line.gate.limit, line.gate.trial) == (32, Trial.HOLD)


@settings(max_examples=tries(50))
@given(
    st.integers(1, 5000),
    st.lists(st.tuples(st.sampled_from([0.0, 0.0, 0.01, 1e6]), st.sampled_from([0, 1, 300, 1 << 62])), max_size=80),
    st.integers(1, 40),
)
def test_the_limit_stays_within_bounds_whatever_is_told(
    limit_max: int, replies: list[tuple[float, int]], copies: int
) -> None:
    gate, now_s = GoodputGate(limit_max, 0.0), 0.0
    for elapsed_s, tokens in replies * copies:
        now_s += elapsed_s
        gate.full()
        gate.completed(now_s, tokens)
        assert 1 <= gate.limit <= limit_max
