"""The ceilings per minute, on a virtual clock: never above them in any minute, hardly below them in the long run."""

import asyncio
from bisect import bisect_left
from functools import cache
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.core.ceilings import Ceilings
from personastream.ports import NO_TOKENS, Tokens
from personastream.providers.limit import PerMinute, ProviderLimit
from personastream.records import Request
from tests.support.effort import tries
from tests.support.queued import QueuedBucket, QueuedLimit
from tests.support.virtual_loop import run_virtually

LIMITS = (1, 3, 10, 60, 61, 1200)
Log = list[tuple[float, float]]


async def _now() -> float:
    return asyncio.get_running_loop().time()


async def _greedy(limit: float, minutes: float, amount: float = 1.0) -> Log:
    """(time, amount) of everything that gets through for one who always wants more."""
    bucket, admitted = QueuedBucket(limit), list[tuple[float, float]]()
    while (await _now()) < 60 * minutes:
        await bucket.acquire(amount)
        admitted.append((await _now(), amount))
    return [(at_s, amount) for at_s, amount in admitted if at_s <= 60 * minutes]


def minutes_for(limit: float) -> float:
    """Long enough for one unit more or less to mean little, and for a bucket to run over."""
    return max(2.5, 40 / limit)


@cache
def greedy_log(limit: float) -> Log:
    return run_virtually(_greedy(limit, minutes_for(limit)))


def most_in_a_minute(log: Log) -> float:
    """The largest total in any 60 s, the end left out."""
    times, sums = [at_s for at_s, _ in log], [0.0, *accumulate(amount for _, amount in log)]
    return max(sums[bisect_left(times, at_s + 60)] - sums[place] for place, at_s in enumerate(times))


@pytest.mark.parametrize("limit", LIMITS)
def test_no_minute_sees_more_than_the_limit(limit: int) -> None:
    assert most_in_a_minute(greedy_log(limit)) <= limit


@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_is_used_in_the_long_run(limit: int) -> None:
    most = limit * minutes_for(limit)
    assert len(greedy_log(limit)) >= 0.97 * most - 1  # what is under way at the end is not counted


@settings(max_examples=tries(10), deadline=None)
@given(st.floats(0.5, 1e6), st.floats(0.05, 5))
def test_amounts_of_any_size_are_held_to_the_limit(limit: float, share: float) -> None:
    amount, minutes = limit * share, max(3.0, 5 * share)
    log = run_virtually(_greedy(limit, minutes, amount))
    total = sum(amount for _, amount in log)
    assert total <= limit * minutes * 1.000001
    assert total >= 0.97 * limit * minutes - 2 * amount


REQUEST = Request("", "persona " * 50, {})


async def _crowd(
    limit: QueuedLimit, minutes: float, used: int = 0, input_used: int = 0, workers: int = 20, idle_s: float = 0.0
) -> Log:
    """(time, tokens) of what many get through who all ask as a run does.

    After a first request they may be idle for a while.
    """
    admitted: Log = []
    if idle_s:
        await limit.acquire(REQUEST)
        await asyncio.sleep(idle_s)

    async def work() -> None:
        while True:
            reserved = await limit.acquire(REQUEST)
            if (at_s := await _now()) > 60 * minutes:
                return
            admitted.append((at_s, used))
            await asyncio.sleep(0)
            limit.settle(reserved, Tokens(input_used, used - input_used))

    await asyncio.gather(*(work() for _ in range(workers)))
    return admitted


@pytest.mark.slow
@pytest.mark.parametrize("limit", [10, 100, 6000, 60_000])
def test_a_crowd_is_held_to_the_limit_and_reaches_it(limit: int) -> None:
    minutes = max(1.2, 30 / limit)
    log = run_virtually(_crowd(QueuedLimit(limit, 0), minutes))
    assert most_in_a_minute([(at_s, 1.0) for at_s, _ in log]) <= limit
    assert len(log) >= 0.97 * limit * minutes - 1 - limit / 60  # nothing passes in the first second


@pytest.mark.slow
@pytest.mark.parametrize("limit", [10, 6000, 60_000])
def test_a_pause_earns_no_more_than_the_limit_of_the_minute_that_follows(limit: int) -> None:
    log = run_virtually(_crowd(QueuedLimit(limit, 0), 1.6, idle_s=30))
    assert most_in_a_minute([(at_s, 1.0) for at_s, _ in log]) <= limit


def test_nothing_passes_at_once_at_the_start() -> None:
    log = run_virtually(_crowd(QueuedLimit(6000, 0), 0.05))
    assert len(log) <= 6000 / 60 * 3 + 1


def test_who_comes_first_is_served_first_however_much_they_want() -> None:
    async def ask(limit: QueuedLimit, text: str, served: list[str]) -> None:
        await limit.acquire(Request("", text, {}))
        served.append(text)

    async def main() -> list[str]:
        limit, served = QueuedLimit(0, 6000), list[str]()
        texts = ["a" * 40_000, "b", "c" * 80_000, "d", "e"]
        await asyncio.gather(*(ask(limit, text, served) for text in texts))
        return [text[0] for text in served]

    assert run_virtually(main()) == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("used", [50, 300, 1500])
def test_tokens_are_held_to_the_limit_whatever_the_guesses_were(used: int) -> None:
    minutes, limit = 10, 20_000
    spent = sum(amount for _, amount in run_virtually(_crowd(QueuedLimit(0, limit), minutes, used)))
    assert 0.97 * limit * minutes - 2 * used <= spent <= limit * minutes * 1.01 + used


@pytest.mark.parametrize(("limit", "share"), [({"input_tokens": 6000}, 0.3), ({"output_tokens": 14_000}, 0.7)])
def test_tokens_in_and_out_have_ceilings_of_their_own(limit: dict[str, float], share: float) -> None:
    """Where 30 % of all tokens are input, both ceilings allow the same 20,000 a minute."""
    minutes, used = 10, 1000
    log = run_virtually(_crowd(QueuedLimit(**limit), minutes, used, input_used=300))
    spent = share * sum(amount for _, amount in log)
    most = next(iter(limit.values())) * minutes
    assert 0.97 * most - 2 * used <= spent <= most * 1.01 + used


def test_what_a_character_costs_is_learned() -> None:
    """Chinese text is about a token a character, four times what is guessed at first."""

    async def main() -> Tokens:
        limit = QueuedLimit(tokens=60_000_000)
        for _ in range(200):
            limit.settle(await limit.acquire(REQUEST), Tokens(len(REQUEST.user), 100))
        return await limit.acquire(REQUEST)

    guess = run_virtually(main())
    assert guess.input == pytest.approx(len(REQUEST.user), rel=0.05)
    assert guess.output == pytest.approx(100, rel=0.05)


def test_what_was_used_too_much_is_owed() -> None:
    async def main() -> float:
        bucket = QueuedBucket(60)
        await bucket.acquire(1)
        bucket.settle(+30)
        before_s = await _now()
        await bucket.acquire(1)
        return (await _now()) - before_s

    assert run_virtually(main()) >= 30


@pytest.mark.parametrize(("before", "after"), [(6000, 60), (60, 6000), (60, 60)])
def test_a_limit_that_changes_is_held_and_used_from_then_on(before: int, after: int) -> None:
    async def main() -> list[float]:
        bucket, admitted = QueuedBucket(before), list[float]()
        while (await _now()) < 30:
            await bucket.acquire(1)
        bucket.bucket.change(after, await _now())
        while (await _now()) < 150:
            await bucket.acquire(1)
            admitted.append(await _now())
        return admitted

    log = [(at_s, 1.0) for at_s in run_virtually(main()) if at_s < 150]
    assert most_in_a_minute(log) <= after
    assert len(log) >= 0.97 * 2 * after - 1


def test_what_is_owed_stays_owed_when_the_limit_changes() -> None:
    bucket = PerMinute(60, 0.0)
    bucket.settle(+30)
    bucket.change(6000, 0.0)
    assert bucket.wait_s(0.0, 0.0) == pytest.approx(30 / 100, abs=0.02)


def test_ceilings_come_and_go() -> None:
    limit = ProviderLimit(Ceilings(), 0.0)
    bounds = [limit.bounds]
    limit.change(Ceilings(requests_per_minute=60, tokens_per_minute=60), 10.0)
    bounds.append(limit.bounds)
    by_tokens_s = limit.wait_s(REQUEST, 10.0)
    limit.change(Ceilings(requests_per_minute=60), 10.0)
    assert 0.9 < limit.wait_s(REQUEST, 10.0) < 1.1 < by_tokens_s
    limit.change(Ceilings(), 10.0)
    assert [*bounds, limit.bounds] == [False, True, False]
    assert limit.wait_s(REQUEST, 10.0) == 0


def test_what_was_spared_is_credited_but_never_saved_up() -> None:
    async def main() -> tuple[float, float]:
        bucket = QueuedBucket(60)
        await bucket.acquire(1)
        bucket.settle(-30)
        start_s = await _now()
        await bucket.acquire(1)
        first_s = await _now()
        await bucket.acquire(5)
        return first_s - start_s, (await _now()) - first_s

    first_s, next_s = run_virtually(main())
    assert first_s == 0
    assert next_s >= 5


def test_a_failed_request_gives_its_tokens_back() -> None:
    async def main() -> float:
        limit = QueuedLimit(0, 60_000)
        for _ in range(100):
            limit.settle(await limit.acquire(Request("", "x", {})), NO_TOKENS)
        return await _now()

    assert run_virtually(main()) < 60 * 100 * 256 / 60_000 / 2


def test_both_ceilings_hold_together() -> None:
    spent = run_virtually(_crowd(QueuedLimit(60, 1200), 10, used=300))
    assert len(spent) <= 1200 / 300 * 10 * 1.01 + 1


def test_somebody_who_gives_up_waiting_harms_nobody() -> None:
    async def main() -> int:
        limit = QueuedLimit(60, 0)
        waiting = [asyncio.create_task(limit.acquire(Request("", str(n), {}))) for n in range(20)]
        await asyncio.sleep(2.5)
        for task in waiting[::2]:
            task.cancel()
        done = await asyncio.gather(*waiting, return_exceptions=True)
        return sum(not isinstance(each, BaseException) for each in done)

    assert run_virtually(main()) >= 10
