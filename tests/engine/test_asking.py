"""What the engine makes of a provider's faults."""

from collections.abc import Callable
from typing import TypeVar

import anyio
import pytest

from personastream.core.retry import RetryPolicy
from personastream.engine.ask import PROBE
from personastream.errors import (
    AttemptError,
    ProviderDown,
    ProviderRejected,
    Refused,
    StaleConnection,
    Throttled,
    TooManyDead,
    Unauthorized,
    Unavailable,
)
from personastream.records import Request
from personastream.testing import ScriptedProvider
from tests.support.slow_limit import Every
from tests.support.virtual import Bench, after, duration_s, ids, on_virtual_clock

TEXTS = [[f"row {row}" for row in range(30)]]
Fault = Callable[[Request, int], AttemptError | None]
T = TypeVar("T")


def first(count: int, error: Callable[[], AttemptError], *rows: str) -> Fault:
    """The first `count` attempts of every row, or of `rows`, fail."""
    return lambda request, asked: error() if asked < count and (not rows or request.user in rows) else None


def unavailable() -> AttemptError:
    return Unavailable("status 500")


def test_rows_that_fail_now_and_then_are_delivered_in_the_end() -> None:
    bench = Bench(TEXTS, provider=ScriptedProvider(latency_s=1.0, fault=first(2, unavailable)))
    assert bench.sit().finished
    assert bench.delivered() == ids(TEXTS)
    assert bench.statistics.retries == bench.statistics.faults["Unavailable"] == 60
    assert bench.statistics.requests == 90


def test_a_row_that_always_fails_is_dead_after_its_attempts_and_the_others_go_on() -> None:
    bench = Bench(TEXTS, provider=ScriptedProvider(latency_s=1.0, fault=first(10**9, unavailable, "row 7")))
    assert bench.sit().finished
    assert bench.dead() == {"shard-0:7": "retries_exhausted"}
    assert len(bench.delivered()) == 29
    assert [request.user for request in bench.provider.requests].count("row 7") == RetryPolicy().attempts_max


def test_a_refused_row_is_dead_at_once_with_the_answer_it_got() -> None:
    def fault(request: Request, asked: int) -> AttemptError | None:
        return Refused("too long", reason="too_long", body=b'{"error": 1}') if request.user == "row 3" else None

    bench = Bench(TEXTS, provider=ScriptedProvider(fault=fault))
    assert bench.sit().finished
    (letter,) = bench.sink.documents("dead")
    assert letter == {
        "id": "shard-0:3",
        "reason": "too_long",
        "detail": "too long",
        "text": "row 3",
        "response": '{"error": 1}',
        "asked": True,
    }
    assert len(bench.provider.requests) == 30


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.slow
def test_throttling_delays_rows_and_kills_none(workers: int) -> None:
    fault = first(6, lambda: Throttled("slow down"))
    bench = Bench(TEXTS, provider=ScriptedProvider(latency_s=0.1, fault=fault), workers=workers)
    assert bench.sit().finished
    assert bench.delivered() == ids(TEXTS)


def test_a_retry_after_blocks_all_workers_for_so_long() -> None:
    started_s: list[float] = []

    def latency_s(request: Request, asked: int) -> float:
        started_s.append(anyio.current_time())
        return 1.0

    fault = first(1, lambda: Throttled("slow down", retry_after_s=90.0), "row 5")
    bench = Bench(TEXTS, provider=ScriptedProvider(latency_s=latency_s, fault=fault))
    assert bench.sit().finished
    blocked_s = started_s[0] + 2.0  # row 5 is of the second round
    assert not [at for at in started_s if blocked_s < at < blocked_s + 90.0]
    assert bench.delivered() == ids(TEXTS)


def test_a_retry_after_holds_back_rows_that_were_waiting_for_their_turn_under_a_limit() -> None:
    started_s: list[float] = []

    def latency_s(request: Request, asked: int) -> float:
        started_s.append(anyio.current_time())
        return 1.0

    async def sit() -> None:
        fault = first(1, lambda: Throttled("slow down", retry_after_s=90.0), "row 5")
        bench = Bench(TEXTS, limit=Every(1.0), provider=ScriptedProvider(latency_s=latency_s, fault=fault), workers=9)
        assert (await bench.sit_async()).finished

    on_virtual_clock(sit)
    blocked_s = started_s[5] + 1.0
    assert not [at for at in started_s if blocked_s < at < blocked_s + 90.0]


def test_connections_found_closed_are_tried_again_at_once_and_not_counted() -> None:
    fault = first(3, lambda: StaleConnection("closed"))
    bench = Bench(TEXTS, provider=ScriptedProvider(latency_s=1.0, fault=fault), retry=RetryPolicy(attempts_max=1))

    async def sit() -> float:
        started_s = anyio.current_time()
        await bench.sit_async()
        return anyio.current_time() - started_s

    assert on_virtual_clock(sit) == pytest.approx(8 * 4.0)  # eight rounds of four attempts, without a pause
    assert bench.delivered() == ids(TEXTS)


def test_connections_that_are_always_closed_are_an_outage_in_the_end() -> None:
    fault = first(10**9, lambda: StaleConnection("closed"))
    bench = Bench(TEXTS, provider=ScriptedProvider(latency_s=0.01, fault=fault))
    with pytest.raises(ProviderDown, match="closed"):
        bench.sit()


def test_an_outage_is_waited_out() -> None:
    def fault(request: Request, asked: int) -> AttemptError | None:
        return Unavailable("down") if 5.0 <= anyio.current_time() < 250.0 else None

    bench = Bench(TEXTS, provider=ScriptedProvider(latency_s=2.0, fault=fault), workers=8)
    assert bench.sit().finished
    assert bench.delivered() == ids(TEXTS)


def test_faults_during_an_outage_do_not_count_against_rows_when_it_ends() -> None:
    """Every row has failed a dozen times when the service comes back, and fails once more then."""
    bench = Bench([[f"row {row}" for row in range(60)]], workers=30, retry=RetryPolicy(outage_s_max=1000.0))
    failed_again: set[str] = set()

    def fault(request: Request, asked: int) -> AttemptError | None:
        if anyio.current_time() < 200.0:
            return Unavailable("down")
        if request.user in failed_again or len(failed_again) % 3 == 2:
            return None
        failed_again.add(request.user)
        return Unavailable("flaky")

    bench.provider = ScriptedProvider(latency_s=0.5, fault=fault)
    assert bench.sit().finished
    assert not bench.dead()


def test_an_outage_does_not_kill_rows_that_have_one_attempt_only() -> None:
    def fault(request: Request, asked: int) -> AttemptError | None:
        return Unavailable("down") if 2.0 <= anyio.current_time() < 60.0 else None

    bench = Bench(TEXTS, provider=ScriptedProvider(latency_s=0.7, fault=fault), retry=RetryPolicy(attempts_max=1))
    assert bench.sit().finished
    assert len(bench.dead()) == 1  # the first to fail: it might have been its own fault


@pytest.mark.parametrize("rows", [1, 5])
def test_a_row_that_always_fails_is_dead_even_if_it_is_the_only_one_asked(rows: int) -> None:
    """One worker, or the last row of a run: a small request of our own tells the row's fault from an outage."""
    fault = first(10**9, unavailable, "row 0")
    bench = Bench([[f"row {row}" for row in range(rows)]], provider=ScriptedProvider(fault=fault), workers=1)
    assert bench.sit().finished
    assert bench.dead() == {"shard-0:0": "retries_exhausted"}


@pytest.mark.parametrize("workers", [1, 8])
def test_an_endpoint_that_answers_nothing_but_probes_has_no_outage_and_its_rows_are_dead(workers: int) -> None:
    def fault(request: Request, asked: int) -> AttemptError | None:
        return unavailable() if request is not PROBE else None

    bench = Bench(TEXTS, provider=ScriptedProvider(latency_s=0.1, fault=fault), workers=workers)
    assert on_virtual_clock(duration_s, bench) < 30 * 60.0
    assert set(bench.dead().values()) == {"retries_exhausted"}
    assert len(bench.dead()) == 30


def test_an_outage_longer_than_the_limit_ends_the_run_and_loses_nothing() -> None:
    def fault(request: Request, asked: int) -> AttemptError | None:
        return Unavailable("connection refused") if down else None

    down = True
    bench = Bench(TEXTS, provider=ScriptedProvider(latency_s=0.1, fault=fault), retry=RetryPolicy(outage_s_max=60.0))

    async def sit() -> float:
        started_s = anyio.current_time()
        with pytest.raises(ProviderDown, match="connection refused"):
            await bench.sit_async()
        return anyio.current_time() - started_s

    assert 60.0 < on_virtual_clock(sit) < 130.0
    assert not bench.dead()
    down = False
    assert bench.sit().finished
    assert bench.delivered() == ids(TEXTS)


def test_a_pause_without_requests_is_no_outage() -> None:
    """Reading may take longer than `outage_s_max`, as when a resume replays its input; then one request fails."""
    reads: list[None] = []

    async def slow_reading(function: Callable[[], T], /) -> T:
        reads.append(None)
        await anyio.sleep(400.0 if len(reads) == 2 else 0.0)
        return function()

    fault = first(1, unavailable)
    bench = Bench(TEXTS, provider=ScriptedProvider(latency_s=1.0, fault=fault), offload=slow_reading)
    assert bench.sit().finished


def test_attempts_slower_than_the_outage_limit_are_tried_again() -> None:
    """One attempt may take up to an hour: its failure alone is no outage."""
    fault = first(1, lambda: Unavailable("no complete answer within 400 s"))
    bench = Bench([["a", "b"]], provider=ScriptedProvider(latency_s=400.0, fault=fault), workers=2)
    assert bench.sit().finished


@pytest.mark.parametrize("workers", [1, 4, 30])
def test_a_rejected_key_stops_the_run_within_the_requests_under_way(workers: int) -> None:
    fault = first(10**9, lambda: Unauthorized("wrong key", hint="Check the key."))
    bench = Bench(TEXTS, provider=ScriptedProvider(latency_s=1.0, fault=fault), workers=workers)
    with pytest.raises(ProviderRejected, match="wrong key") as caught:
        bench.sit()
    assert caught.value.hint == "Check the key."
    assert len(bench.provider.requests) == workers
    assert not bench.dead()


def test_a_rejected_key_in_mid_run_keeps_the_answers_of_the_rows_in_flight() -> None:
    fault = first(1, lambda: Unauthorized("no quota"), "row 13")
    bench = Bench(TEXTS, provider=ScriptedProvider(latency_s=1.0, fault=fault))
    with pytest.raises(ProviderRejected, match="no quota"):
        bench.sit()
    assert len(bench.delivered()) == len(bench.provider.requests) - 1
    assert bench.sit().finished
    assert bench.delivered() == ids(TEXTS)


def test_too_many_dead_rows_stop_the_run() -> None:
    rows = [[f"row {row}" for row in range(2000)]]
    fault = first(10**9, lambda: Refused("no", reason="refused"))
    bench = Bench(rows, provider=ScriptedProvider(latency_s=1.0, fault=fault), workers=50)
    with pytest.raises(TooManyDead, match="dead letters"):
        bench.sit()
    assert 200 <= len(bench.dead()) < 400


@pytest.mark.slow
@pytest.mark.parametrize(("poison", "stops"), [(range(0, 600, 3), False), (range(0, 600, 2), True)])
def test_the_share_of_dead_rows_is_judged_over_all_rows_so_far(poison: range, stops: bool) -> None:
    fault = first(10**9, lambda: Refused("no", reason="refused"), *(f"row {row}" for row in poison))
    rows = [[f"row {row}" for row in range(600)]]
    bench = Bench(rows, provider=ScriptedProvider(fault=fault), dead_share_max=0.4)
    if stops:
        with pytest.raises(TooManyDead):
            bench.sit()
    else:
        assert bench.sit().finished


def test_a_few_dead_rows_never_stop_a_run() -> None:
    fault = first(10**9, lambda: Refused("no", reason="refused"))
    bench = Bench([[f"row {row}" for row in range(199)]], provider=ScriptedProvider(fault=fault), dead_share_max=0.0)
    assert bench.sit().finished


def test_retries_beyond_the_budget_wait_the_longest_time() -> None:
    """With every attempt failing twice, retries exceed what successes earn: the pace falls, no row dies."""

    async def seconds(saved: float) -> float:
        bench = Bench(
            TEXTS,
            provider=ScriptedProvider(latency_s=0.1, fault=first(2, unavailable)),
            retry=RetryPolicy(backoff_s=0.1, backoff_s_max=60.0, retry_share=0.1, retries_saved_max=saved),
            workers=1,
        )
        started_s = anyio.current_time()
        assert (await bench.sit_async()).finished
        assert bench.delivered() == ids(TEXTS)
        return anyio.current_time() - started_s

    assert on_virtual_clock(seconds, 1000.0) < 30.0
    assert on_virtual_clock(seconds, 5.0) > 200.0


def test_statistics_balance_at_the_end() -> None:
    fault = first(1, unavailable, "row 1", "row 2", "row 3")
    bench = Bench(TEXTS, provider=ScriptedProvider(latency_s=2.0, fault=fault))
    bench.sit()
    seen = bench.statistics
    assert (seen.in_flight, seen.waiting, seen.uncommitted, seen.shards_finished) == (0, 0, 0, 1)
    assert (seen.requests, seen.answered, seen.handed_out) == (33, 30, 30)
    assert seen.last_fault == "status 500"
    assert seen.latency.sum_s == pytest.approx(60.0)
    assert sum(seen.latency.counts) == 30
    assert seen.rows_estimated == 30
    assert seen.committed_usage == seen.usage


@pytest.mark.parametrize("interval_s", [0.0, 5.0])
def test_a_limit_learns_of_every_attempt(interval_s: float) -> None:
    limit = Every(interval_s)
    bench = Bench([["one two", "three"]], limit=limit, provider=ScriptedProvider(fault=first(1, unavailable, "three")))
    bench.sit()
    assert limit.taken == 3
    assert sorted(limit.used) == [(0, 0), (1, 1), (2, 2)]


def test_an_aborted_attempt_counts_as_no_answer() -> None:
    bench = Bench(TEXTS, provider=ScriptedProvider(latency_s=9.0), during=after(1.0, lambda bench: bench.stop.abort()))
    bench.sit()
    assert (bench.statistics.requests, bench.statistics.answered, bench.statistics.in_flight) == (4, 0, 0)
