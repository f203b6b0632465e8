"""The ways in which a sitting ends: drained, aborted, out of rows, or out of time."""

from collections.abc import Callable
from typing import TypeVar

import anyio
import pytest

from personastream.core.retry import RetryPolicy
from personastream.errors import AttemptError, Throttled, Unavailable
from personastream.records import Request
from personastream.testing import ListSource, MemorySink, ScriptedProvider, inline
from tests.support.slow_limit import Every
from tests.support.virtual import Bench, after, duration_s, ids, on_virtual_clock

T = TypeVar("T")
TEXTS = [[f"row {row}" for row in range(30)]]


def always(error: Callable[[], AttemptError]) -> Callable[[Request, int], AttemptError]:
    return lambda request, asked: error()


def test_a_drain_finishes_the_rows_in_flight_and_leaves_the_rest() -> None:
    bench = Bench(
        TEXTS, provider=ScriptedProvider(latency_s=10.0), during=after(15.0, lambda bench: bench.stop.drain())
    )
    assert not bench.sit().finished
    assert len(bench.delivered()) == len(bench.provider.requests) == 8  # two rounds of four workers

    bench.during = None
    assert bench.sit().finished
    assert bench.delivered() == ids(TEXTS)
    assert len(bench.provider.requests) == 30


def test_a_drain_ends_as_soon_as_the_rows_in_flight_do() -> None:
    bench = Bench(
        TEXTS, provider=ScriptedProvider(latency_s=10.0), during=after(15.0, lambda bench: bench.stop.drain())
    )
    assert on_virtual_clock(duration_s, bench) == pytest.approx(20.0)


def test_a_drain_does_not_wait_for_rows_that_wait_for_another_attempt() -> None:
    def fault(request: Request, asked: int) -> AttemptError | None:
        return Unavailable("down") if request.user == "row 2" else None

    bench = Bench(
        TEXTS,
        provider=ScriptedProvider(latency_s=1.0, fault=fault),
        retry=RetryPolicy(backoff_s=600.0, backoff_s_max=600.0),
        during=after(1.001, lambda bench: bench.stop.drain()),
    )
    assert on_virtual_clock(duration_s, bench) <= 3.0
    assert "shard-0:2" not in bench.delivered()
    assert len(bench.delivered()) >= 3
    assert not bench.dead()


def test_a_drain_while_the_endpoint_is_blocked_ends_at_once() -> None:
    bench = Bench(
        TEXTS,
        provider=ScriptedProvider(fault=always(lambda: Throttled("slow down", retry_after_s=500.0))),
        during=after(10.0, lambda bench: bench.stop.drain()),
    )
    assert on_virtual_clock(duration_s, bench) == pytest.approx(10.0)
    assert not bench.delivered()
    assert not bench.dead()


def test_a_drain_does_not_wait_for_rows_that_wait_for_their_turn_under_a_limit() -> None:
    async def sit() -> Bench:
        bench = Bench(TEXTS, limit=Every(600.0), workers=20, during=after(1300.0, lambda bench: bench.stop.drain()))
        started_s = anyio.current_time()
        await bench.sit_async()
        assert anyio.current_time() - started_s == pytest.approx(1300.0)
        return bench

    bench = on_virtual_clock(sit)
    assert len(bench.provider.requests) == 2
    assert len(bench.delivered()) == 2


def test_a_drain_that_lasts_too_long_becomes_an_abort() -> None:
    latency = {"row 1": 1e6}
    bench = Bench(
        TEXTS,
        provider=ScriptedProvider(latency_s=lambda request, asked: latency.get(request.user, 1.0)),
        drain_s_max=50.0,
        during=after(3.5, lambda bench: bench.stop.drain()),
    )
    assert on_virtual_clock(duration_s, bench) == pytest.approx(53.5)
    assert "shard-0:1" not in bench.delivered()
    assert len(bench.delivered()) == 12  # three workers, four rounds

    latency.clear()
    bench.during = None
    assert bench.sit().finished
    assert bench.delivered() == ids(TEXTS)


def test_an_abort_gives_up_the_rows_in_flight_and_commits_what_is_complete() -> None:
    bench = Bench(
        TEXTS, provider=ScriptedProvider(latency_s=10.0), during=after(15.0, lambda bench: bench.stop.abort())
    )
    assert on_virtual_clock(duration_s, bench) == pytest.approx(15.0)
    assert len(bench.delivered()) == 4
    assert bench.provider.in_flight == 0

    bench.during = None
    assert bench.sit().finished
    assert bench.delivered() == ids(TEXTS)
    assert len(bench.provider.requests) == 34  # four rows were paid twice, none more


def test_an_abort_during_a_drain_cuts_it_short() -> None:
    async def twice(bench: Bench) -> None:
        await anyio.sleep(5.0)
        bench.stop.drain()
        await anyio.sleep(2.0)
        bench.stop.abort()

    bench = Bench(TEXTS, provider=ScriptedProvider(latency_s=1000.0), during=twice)
    assert on_virtual_clock(duration_s, bench) == pytest.approx(7.0)


def test_a_run_that_is_stopped_while_it_recovers_asks_nothing() -> None:
    async def drain_then_call(function: Callable[[], T], /) -> T:
        bench.stop.drain()
        return await inline(function)

    bench = Bench(TEXTS, offload=drain_then_call)
    assert not bench.sit().finished
    assert not bench.provider.requests


@pytest.mark.parametrize("rows_max", [1, 3, 4, 5, 29])
def test_rows_max_asks_for_just_so_many_rows(rows_max: int) -> None:
    bench = Bench(TEXTS, rows_max=rows_max, provider=ScriptedProvider(latency_s=1.0))
    assert not bench.sit().finished
    assert len(bench.provider.requests) == len(bench.delivered()) == rows_max


@pytest.mark.parametrize("rows_max", [30, 31, 1000])
def test_rows_max_beyond_the_input_finishes_the_run(rows_max: int) -> None:
    bench = Bench(TEXTS, rows_max=rows_max, provider=ScriptedProvider(latency_s=1.0))
    assert bench.sit().finished


def test_sittings_of_a_few_rows_add_up_to_the_whole_run() -> None:
    bench = Bench(source=ListSource([["a"] * 7, [], ["b"] * 5]), rows_max=2, sink=MemorySink(commit_rows_max=1))
    sittings = 1
    while not bench.sit().finished:
        sittings += 1
        assert sittings < 20
    assert len(bench.provider.requests) == 12
    assert bench.sink.rows == [7, 0, 5]


def test_the_summary_tells_this_sitting_from_the_whole_run() -> None:
    bench = Bench(TEXTS, rows_max=10)
    bench.sit()
    bench.rows_max = None
    summary = bench.sit()
    assert (summary.usage.requests, summary.spent.requests) == (30, 20)
    assert (summary.counts.delivered, summary.counts.settled) == (30, 30)
