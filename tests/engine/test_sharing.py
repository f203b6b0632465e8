"""Jobs that share an endpoint: whose turn it is, and what one feels of another."""

from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.core.ceilings import Ceilings
from personastream.core.retry import RetryPolicy
from personastream.engine.exchange import Exchange
from personastream.engine.pool import Abandoned, Pool
from personastream.engine.stop import Stop
from personastream.errors import AttemptError, ConfigError, ProviderDown, ProviderRejected, Throttled, Unauthorized
from personastream.records import Request
from personastream.testing import ScriptedProvider
from tests.support.company import ID, Job, Meanwhile, together
from tests.support.effort import tries
from tests.support.fleet import rows
from tests.support.virtual import ids, on_virtual_clock

FOUR = Ceilings(4)


def job(name: str, count: int, latency_s: float = 1.0, **given: Any) -> Job:
    """One that has more workers than the endpoint takes."""
    provider = ScriptedProvider(latency_s=latency_s)
    return Job(rows(count), provider=provider, name=name, workers=16, **{"ceilings": FOUR, **given})


def at(seconds: float, look: Callable[[], object], seen: list[object]) -> Meanwhile:
    """A look at some moment."""

    async def wait(exchange: Exchange) -> None:
        await anyio.sleep(seconds)
        seen.append(look())

    return wait


@pytest.mark.parametrize("ceilings", [FOUR, Ceilings(16, requests_per_minute=240)])
@pytest.mark.parametrize("later_s", [0.0, 10.0])
def test_turns_of_jobs_that_wait_follow_their_weights(ceilings: Ceilings, later_s: float) -> None:
    """Whether the number in flight holds them back or the requests a minute, and whoever came first."""
    light, heavy = job("light", 150, ceilings=ceilings), job("heavy", 250, ceilings=ceilings, weight=3.0)
    heavy.begins_s = later_s
    seen: list[Any] = []

    async def look(exchange: Exchange) -> None:
        await anyio.sleep(later_s + 5.0)
        before = heavy.asked, light.asked
        await anyio.sleep(60.0)
        seen.append((heavy.asked - before[0]) / (light.asked - before[1]))

    together(light, heavy, meanwhile=look)
    assert seen[0] == pytest.approx(3.0, rel=0.07)
    assert light.finished
    assert heavy.finished


@pytest.mark.slow
@settings(max_examples=tries(10), deadline=None)
@given(st.lists(st.sampled_from([0.25, 0.5, 1.0, 2.0, 5.0]), min_size=2, max_size=4))
def test_any_weights_hold(weights: list[float]) -> None:
    jobs = [job(f"{place}", 400, weight=weight, latency_s=0.1) for place, weight in enumerate(weights)]
    seen: list[Any] = []
    together(*jobs, meanwhile=at(8.0, lambda: [each.asked for each in jobs], seen))
    (counts,) = seen
    for weight, count in zip(weights, counts, strict=True):
        assert count == pytest.approx(sum(counts) * weight / sum(weights), abs=1 + 4)


def test_the_higher_priority_goes_first_and_all_else_is_left_to_the_lower_one() -> None:
    low, high = job("low", 200), job("high", 100, priority=1, begins_s=10.0)
    seen: list[Any] = []
    together(low, high, meanwhile=at(20.5, lambda: (low.asked, high.asked), seen))
    assert low.finished
    assert high.finished
    (asked_low, asked_high) = seen[0]
    assert asked_high == pytest.approx(40, abs=4)
    assert asked_low <= 44


def test_who_wants_less_than_its_share_leaves_it_to_others() -> None:
    few, many = job("few", 20, weight=100.0), job("many", 400)
    few.workers = 1
    seen: list[Any] = []
    together(few, many, meanwhile=at(10.5, lambda: few.asked + many.asked, seen))
    assert seen == [44]


def test_who_comes_back_has_saved_nothing_up() -> None:
    """The other one had all turns for a long time: that is no debt."""
    early, late = job("early", 240), job("late", 60, begins_s=50.0)
    seen: list[Any] = []
    together(early, late, meanwhile=at(60.5, lambda: (early.asked, late.asked), seen))
    ((of_early, of_late),) = seen
    assert of_late == pytest.approx(20, abs=4)
    assert of_early == pytest.approx(200 + 24, abs=8)


def test_weights_and_priorities_may_change_at_any_time() -> None:
    one, other = job("one", 200), job("other", 120)
    seen: list[int] = []

    async def change(exchange: Exchange) -> None:
        await anyio.sleep(10.5)
        assert one.share is not None
        seen.append(one.asked)
        one.share.weight = 3.0
        await anyio.sleep(20.0)
        seen.append(one.asked)
        one.share.priority = 5
        await anyio.sleep(20.0)
        seen.append(one.asked)
        with pytest.raises(ConfigError, match="weight"):
            one.share.weight = 0.0

    together(one, other, meanwhile=change)
    assert seen[1] - seen[0] == pytest.approx(60, abs=4)
    assert seen[2] - seen[1] == pytest.approx(80, abs=4)


@pytest.mark.parametrize("strict", [0, 1])
def test_the_strictest_ceiling_holds_for_all_as_long_as_that_job_is_there(strict: int) -> None:
    provider = ScriptedProvider(latency_s=1.0)
    jobs = [job("short", 60), job("long", 200)]
    for each in jobs:
        each.provider, each.ceilings = provider, Ceilings(8)
    jobs[strict].ceilings = Ceilings(3)
    seen: list[Any] = []
    exchange = together(*jobs, meanwhile=at(10.5, lambda: provider.in_flight_most, seen))
    assert seen == [3]
    assert provider.in_flight_most == (8 if strict == 0 else 3)
    assert [shared.in_flight for shared in exchange.endpoints.values()] == [0]
    assert exchange.endpoints[ID].asked == (260, 260, 0, 0)
    assert exchange.endpoints[ID].jobs == []


def test_a_job_that_is_held_sends_nothing_and_holds_up_nobody() -> None:
    held, other = job("held", 100), job("other", 400)
    seen: list[Any] = []

    async def hold(exchange: Exchange) -> None:
        await anyio.sleep(5.5)
        assert held.share is not None
        held.share.held = True
        before = held.asked
        await anyio.sleep(20.0)
        seen.append((held.asked - before, held.provider.in_flight, other.provider.in_flight))
        held.share.held = False
        await anyio.sleep(5.0)
        seen.append(held.asked - before)

    together(held, other, meanwhile=hold)
    assert seen[0] == (0, 0, 4)
    assert seen[1] == pytest.approx(10, abs=3)
    assert held.finished
    assert held.delivered() == ids(held.texts)


def test_time_on_hold_is_no_outage() -> None:
    down = {"until_s": 30.0}

    def fault(request: Request, asked: int) -> AttemptError | None:
        return Throttled("down", retry_after_s=1.0) if anyio.current_time() < down["until_s"] else None

    paused = job("paused", 50, retry=RetryPolicy(outage_s_max=60.0))
    paused.provider.fault = fault

    async def hold(exchange: Exchange) -> None:
        await anyio.sleep(25.0)
        assert paused.share is not None
        paused.share.held = True
        await anyio.sleep(1000.0)
        down["until_s"] = anyio.current_time() + 2.0
        paused.share.held = False

    together(paused, meanwhile=hold)
    assert paused.failure is None
    assert paused.finished


def test_a_held_job_can_be_drained() -> None:
    paused = job("paused", 100)

    async def hold(exchange: Exchange) -> None:
        await anyio.sleep(5.5)
        assert paused.share is not None
        paused.share.held = True
        await anyio.sleep(5.0)
        paused.stop.drain()

    together(paused, meanwhile=hold)
    assert paused.failure is None
    assert not paused.finished
    assert len(paused.delivered()) == paused.asked


def test_a_pause_that_the_endpoint_asks_one_job_for_is_kept_by_all() -> None:
    sent_s: list[float] = []

    def latency_s(request: Request, asked: int) -> float:
        sent_s.append(anyio.current_time())
        return 1.0

    def fault(request: Request, asked: int) -> AttemptError | None:
        return Throttled("rest", retry_after_s=30.0) if request.user == "row 8" and not asked else None

    one, other = job("one", 60), job("other", 60)
    one.provider.latency_s = other.provider.latency_s = latency_s
    one.provider.fault = fault
    together(one, other)
    gaps = [later - earlier for earlier, later in pairwise(sent_s)]
    assert max(gaps) >= 29.0
    assert one.finished
    assert other.finished


def test_a_key_that_is_refused_ends_the_job_that_was_refused_and_no_other() -> None:
    refused, other = job("refused", 60), job("other", 60, retry=RetryPolicy(outage_s_max=5.0))
    refused.provider.fault = lambda request, asked: Unauthorized("no")
    together(refused, other)
    assert isinstance(refused.failure, ProviderRejected)
    assert other.finished


def test_each_job_judges_outages_by_its_own_patience() -> None:
    def fault(request: Request, asked: int) -> AttemptError | None:
        return Throttled("down", retry_after_s=2.0) if anyio.current_time() < 100.0 else None

    hasty = job("hasty", 60, retry=RetryPolicy(outage_s_max=20.0))
    patient = job("patient", 60, retry=RetryPolicy(outage_s_max=1000.0))
    hasty.provider.fault = patient.provider.fault = fault
    together(hasty, patient)
    assert isinstance(hasty.failure, ProviderDown)
    assert patient.finished


def test_who_drains_while_it_saves_up_for_a_large_request_lets_the_others_pass() -> None:
    """It would wait for hours, and was first; its rows in flight may take as long again."""
    ceilings = Ceilings(4, input_tokens_per_minute=6000)

    async def wait_in(pool: Pool, request: Request, had: list[str]) -> None:
        with suppress(Abandoned):
            await pool.turn(request)
            had.append(request.user)

    async def sit() -> tuple[list[str], list[str]]:
        exchange, stop, had = Exchange(anyio.current_time), Stop(), list[str]()
        pools = [
            Pool(Job(ceilings=ceilings).endpoints(), each, exchange.join("", priority=priority))
            for each, priority in ((stop, 1), (Stop(), 0))
        ]
        async with anyio.create_task_group() as around:
            for pool in pools:
                around.start_soon(pool.run)
                around.start_soon(pool.abandon_on_drain)
            around.start_soon(wait_in, pools[0], Request("", "x" * 4_000_000, {}), had)
            await anyio.sleep(5.0)
            around.start_soon(wait_in, pools[1], Request("", "small", {}), had)
            await anyio.sleep(60.0)
            before = had.copy()
            stop.drain()
            await anyio.sleep(1.0)
            around.cancel_scope.cancel()
        return before, had

    assert on_virtual_clock(sit) == ([], ["small"])


def test_several_providers_of_one_job_may_be_one_service_and_add_up() -> None:
    """As before there were exchanges: each brings what it may send."""
    provider = ScriptedProvider(latency_s=1.0)
    twice = job("twice", 100, providers=[provider, provider], services=["same", "same"])
    together(twice)
    assert twice.finished
    assert provider.in_flight_most == 8


def test_a_job_uses_what_room_there_is_at_endpoints_that_others_do_not_ask() -> None:
    busy = job("busy", 100, services=["a"])
    both = job("both", 200, providers=[ScriptedProvider(latency_s=1.0) for _ in range(2)], services=["a", "b"])
    seen: list[Any] = []
    together(busy, both, meanwhile=at(20.5, lambda: (busy.asked, *(len(p.requests) for p in both.providers)), seen))
    ((of_busy, at_a, at_b),) = seen
    assert of_busy + at_a == 84
    assert at_b == 84
    assert busy.finished
    assert both.finished
