"""Ceilings that change while jobs run: in effect at once, and no request is lost for it."""

from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from personastream.core.ceilings import Ceilings
from personastream.engine.exchange import Exchange
from personastream.errors import ConfigError
from personastream.records import Request
from personastream.testing import ScriptedProvider
from tests.support.company import ID, Job, together
from tests.support.fleet import rows
from tests.support.virtual import ids


@dataclass
class Log:
    """When requests were sent, and how many were in flight then."""

    sent_s: list[float] = field(default_factory=list)
    provider: ScriptedProvider = field(init=False)

    def __post_init__(self) -> None:
        self.provider = ScriptedProvider(latency_s=self._latency_s)

    def _latency_s(self, request: Request, asked: int) -> float:
        self.sent_s.append(anyio.current_time())
        return 1.0

    def between(self, from_s: float, to_s: float) -> int:
        return sum(from_s <= at_s < to_s for at_s in self.sent_s)


def job(count: int, **given: Any) -> tuple[Job, Log]:
    log = Log()
    return Job(rows(count), provider=log.provider, **{"workers": 4, "ceilings": Ceilings(4), **given}), log


def all_answered_once(asked: Job, log: Log) -> bool:
    return asked.finished and len(log.sent_s) == len(asked.delivered()) and asked.delivered() == ids(asked.texts)


def test_more_in_flight_than_the_run_was_built_for_takes_more_workers() -> None:
    asked, log = job(400)

    async def change(exchange: Exchange) -> None:
        await anyio.sleep(10.5)
        exchange.change(ID, in_flight_max=20)
        await anyio.sleep(0.1)
        assert log.provider.in_flight == 20
        await anyio.sleep(5.0)
        exchange.change(ID, in_flight_max=30)
        await anyio.sleep(0.1)
        assert log.provider.in_flight == 30

    together(asked, meanwhile=change)
    assert all_answered_once(asked, log)
    assert log.provider.in_flight_most == 30


def test_a_ceiling_that_was_raised_before_the_job_came_counts_too() -> None:
    asked, log = job(100, begins_s=1.0)

    async def change(exchange: Exchange) -> None:
        exchange.change(ID, in_flight_max=20)
        await anyio.sleep_forever()

    together(asked, meanwhile=change)
    assert all_answered_once(asked, log)
    assert log.provider.in_flight_most == 20


def test_fewer_in_flight_lets_those_under_way_finish() -> None:
    asked, log = job(100)

    async def change(exchange: Exchange) -> None:
        await anyio.sleep(5.5)
        exchange.change(ID, in_flight_max=1)
        await anyio.sleep(1.0)
        log.provider.in_flight_most = 0
        await anyio.sleep(20.0)
        assert log.provider.in_flight_most == 1
        exchange.change(ID, in_flight_max=4)

    together(asked, meanwhile=change)
    assert all_answered_once(asked, log)


@pytest.mark.parametrize("which", ["requests_per_minute", "tokens_per_minute", "output_tokens_per_minute"])
def test_what_was_unlimited_is_limited_at_once_and_the_other_way_round(which: str) -> None:
    asked, log = job(300)

    async def change(exchange: Exchange) -> None:
        await anyio.sleep(10.5)
        exchange.change(ID, **{which: 6})
        await anyio.sleep(60.0)
        assert log.between(10.6, 70.5) <= 6
        exchange.change(ID, **{which: 0})
        await anyio.sleep(1.0)
        assert log.between(70.5, 71.5) >= 4

    together(asked, meanwhile=change)
    assert all_answered_once(asked, log)


def test_who_waits_for_a_slow_limit_feels_that_it_is_raised() -> None:
    asked, log = job(300, ceilings=Ceilings(4, requests_per_minute=1))

    async def change(exchange: Exchange) -> None:
        await anyio.sleep(30.0)
        assert not log.sent_s
        exchange.change(ID, requests_per_minute=600)
        await anyio.sleep(1.0)
        assert log.between(30.0, 31.0) >= 4

    together(asked, meanwhile=change)
    assert all_answered_once(asked, log)


def test_a_lowered_limit_holds_in_every_minute_from_then_on() -> None:
    asked, log = job(700, ceilings=Ceilings(40, requests_per_minute=600), workers=40)

    async def change(exchange: Exchange) -> None:
        await anyio.sleep(60.0)
        exchange.change(ID, requests_per_minute=60)

    together(asked, meanwhile=change)
    assert log.between(0.0, 60.0) == pytest.approx(600, rel=0.05)
    assert max(log.between(at, at + 60.0) for at in log.sent_s if at >= 60.0) <= 60
    assert all_answered_once(asked, log)


def test_what_is_imposed_holds_whatever_jobs_name_until_it_is_taken_back() -> None:
    asked, log = job(200)

    async def change(exchange: Exchange) -> None:
        await anyio.sleep(5.5)
        exchange.impose(ID, {"in_flight_max": 2})
        exchange.change(ID, requests_per_minute=0)
        assert exchange.imposed == {ID: {"in_flight_max": 2, "requests_per_minute": 0}}
        await anyio.sleep(2.0)
        assert log.provider.in_flight == 2
        assert exchange.endpoints[ID].ceilings == Ceilings(2)
        exchange.impose(ID, {})
        assert not exchange.imposed
        await anyio.sleep(0.1)
        assert log.provider.in_flight == 4

    together(asked, meanwhile=change)
    assert all_answered_once(asked, log)


@pytest.mark.parametrize(
    "wrong",
    [
        {"in_flight_max": 0},
        {"in_flight_max": 2.5},
        {"in_flight_max": 10_001},
        {"in_flight_max": True},
        {"requests_per_minute": -1},
        {"tokens_per_minute": float("nan")},
        {"tokens_per_minute": float("inf")},
        {"tokens_per_minute": "many"},
        {"requests": 5},
    ],
)
def test_a_ceiling_that_is_none_changes_nothing(wrong: dict[str, object]) -> None:
    exchange = Exchange(lambda: 0.0)
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        exchange.change("0123456789", **wrong)
    assert not exchange.imposed


@pytest.mark.parametrize("most", [4, 64])
def test_measured_concurrency_keeps_to_a_ceiling_that_moves(most: int) -> None:
    """A service that serves any number at once: what is allowed is used, up and down."""
    asked, log = job(3000, ceilings=Ceilings(16), workers=16, adaptive=True)

    async def change(exchange: Exchange) -> None:
        await anyio.sleep(30.5)
        assert log.provider.in_flight == 16
        exchange.change(ID, in_flight_max=most)
        await anyio.sleep(1.0)
        log.provider.in_flight_most = 0
        await anyio.sleep(25.0)
        assert log.provider.in_flight_most == most
        asked.stop.drain()

    together(asked, meanwhile=change)
    assert asked.failure is None
