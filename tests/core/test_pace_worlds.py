import statistics
from itertools import pairwise

import pytest

from bench.worlds import DIP_S, WORLDS, Flaky, Hosted, Seen, simulate
from personastream.core.pace import Pace

WARM_UP_S = 300.0
STOP_S = 1500.0
SAMPLE_S = 5.0


def run(world: str, seed: int = 11) -> tuple[float, Seen]:
    """Goodput as a share of the best possible, and what was seen after the warm-up."""
    server = WORLDS[world].make(seed)
    pace = Pace(WORLDS[world].in_flight_max, True, 0.0)
    seen = simulate(server, pace, STOP_S, start_s=WARM_UP_S, sample_s=SAMPLE_S)
    return (seen.tokens if server.in_tokens else seen.answered) / server.ideal(WARM_UP_S, STOP_S), seen


@pytest.mark.parametrize("world", ["hosted", "hosted_retry_after", "changing"])
@pytest.mark.slow
def test_a_limited_endpoint_is_used_fully_with_few_refusals(world: str) -> None:
    goodput, seen = run(world)
    assert goodput >= 0.98
    assert seen.refused <= 0.015 * (seen.refused + seen.answered)


@pytest.mark.parametrize("world", ["batched_64", "batched_256"])
def test_a_server_that_queues_is_used_fully_with_little_waiting(world: str) -> None:
    goodput, seen = run(world)
    assert goodput >= 0.95
    assert statistics.median(seen.latencies_s) <= 1.5 * statistics.median(seen.services_s)


@pytest.mark.slow
def test_capacity_that_comes_back_is_used_within_half_a_minute() -> None:
    _, seen = run("changing")
    rates = {later.at_s: (later.answered - earlier.answered) / SAMPLE_S for earlier, later in pairwise(seen.samples)}
    assert statistics.mean(rates[DIP_S[1] + 30.0 + SAMPLE_S * step] for step in range(10)) >= 38.0


def test_few_requests_a_second_are_used_fully_too() -> None:
    server = Hosted(3, lambda _: 1.0)
    seen = simulate(server, Pace(512, True, 0.0), STOP_S, start_s=WARM_UP_S)
    assert seen.answered >= 0.97 * (STOP_S - WARM_UP_S)
    assert seen.refused <= 0.03 * (seen.refused + seen.answered)


def test_a_server_that_loads_is_hardly_asked_and_then_found() -> None:
    server = Hosted(3, lambda now_s: 20.0 if now_s >= 100.0 else 0.0)
    seen = simulate(server, Pace(512, True, 0.0), 250.0, sample_s=SAMPLE_S)
    before = [sample for sample in seen.samples if sample.at_s <= 100.0][-1]
    assert before.answered == 0
    assert before.refused <= 60
    last_50_s = seen.samples[-1].answered - seen.samples[-11].answered
    assert last_50_s >= 0.9 * 20.0 * 50.0


@pytest.mark.parametrize(("share", "pause_s"), [(0.005, None), (0.02, None), (0.02, 0.2), (0.1, 0.2), (0.3, None)])
@pytest.mark.slow
def test_refusals_that_come_at_any_rate_do_not_slow_a_run_down(share: float, pause_s: float | None) -> None:
    server = Flaky(1, share, pause_s, 64)
    seen = simulate(server, Pace(64, True, 0.0), 180.0, start_s=60.0)
    assert seen.answered >= 0.8 * server.ideal(60.0, 180.0)
