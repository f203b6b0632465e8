"""The ceilings per minute seen through a window of one second, and shared by requests of very different size."""

import asyncio
import random
from bisect import bisect_left
from itertools import accumulate

import pytest

from personastream.ports import NO_TOKENS, Tokens
from personastream.providers.limit import OUTPUT_TOKENS_FIRST_GUESS
from personastream.records import Request
from tests.support.queued import QueuedLimit
from tests.support.virtual_loop import run_virtually

Admitted = list[tuple[float, float]]
"""(time in s, requests or tokens) of each request that got its turn."""


def most_in_a_second(log: Admitted, *, but_the_largest: bool = False) -> float:
    """The largest total in any 1 s, the end left out; what was taken piece by piece over a longer time may be."""
    times, sums = [at_s for at_s, _ in log], [0.0, *accumulate(amount for _, amount in log)]
    most = 0.0
    for first, at_s in enumerate(times):
        stop = bisect_left(times, at_s + 1)
        total = sums[stop] - sums[first]
        most = max(most, total - max(amount for _, amount in log[first:stop]) if but_the_largest else total)
    return most


async def crowd(
    limit: QueuedLimit, requests: list[Request], used: list[int], idle_s: float = 0.0, answer_s: float = 0.2
) -> Admitted:
    """(time, tokens used) of all requests in the order of their turns; many wait at once, after a pause."""
    log: Admitted = []
    loop = asyncio.get_running_loop()
    left = list(zip(requests, used, strict=True))[::-1]
    if idle_s:
        limit.settle(await limit.acquire(requests[0]), NO_TOKENS)
        await asyncio.sleep(idle_s)

    async def work() -> None:
        while left:
            request, tokens = left.pop()
            reserved = await limit.acquire(request)
            log.append((loop.time(), tokens))
            await asyncio.sleep(answer_s)
            limit.settle(reserved, Tokens(len(request.user) // 4, tokens - len(request.user) // 4))

    await asyncio.gather(*(work() for _ in range(2000)))
    return log


@pytest.mark.parametrize("idle_s", [0.0, 30.0])
@pytest.mark.parametrize("per_minute", [10, 60, 600, 6000, 60_000])
@pytest.mark.slow
def test_no_second_sees_more_requests_than_a_burst_of_one_second_above_the_rate(per_minute: int, idle_s: float) -> None:
    count = max(20, per_minute // 6)
    requests = [Request("", "a baker", {})] * count
    log = run_virtually(crowd(QueuedLimit(per_minute, 0), requests, [1] * count, idle_s))
    rate = per_minute / 60
    assert most_in_a_second([(at_s, 1.0) for at_s, _ in log]) <= max(1.0, 1.1 * rate + rate)
    assert (log[-1][0] - idle_s) * rate <= count / 0.97 + rate + 1


def mixed(count: int, seed: int) -> tuple[list[Request], list[int]]:
    """Requests from a few to a hundred thousand tokens, and what each really uses."""
    chance = random.Random(seed)
    sizes = [chance.choice((8, 400, 4000, 400_000)) if chance.random() < 0.05 else 800 for _ in range(count)]
    used = [size // 4 + int(chance.lognormvariate(5.5, 0.6)) for size in sizes]
    return [Request("", "x" * size, {}) for size in sizes], used


@pytest.mark.parametrize("idle_s", [0.0, 30.0])
@pytest.mark.parametrize("per_minute", [120_000, 1_200_000])
@pytest.mark.slow
def test_tokens_of_requests_of_every_size_are_held_to_the_limit_and_reach_it(per_minute: int, idle_s: float) -> None:
    requests, used = mixed(2000, seed=per_minute)
    log = run_virtually(crowd(QueuedLimit(0, per_minute), requests, used, idle_s))
    rate = per_minute / 60
    assert most_in_a_second(log, but_the_largest=True) <= 1.1 * rate + rate
    taken_s = log[-1][0] - idle_s
    assert sum(used) <= 1.01 * rate * (taken_s + 1) + max(used)
    assert sum(used) >= 0.97 * rate * taken_s - max(used)


@pytest.mark.slow
def test_guesses_stay_sound_however_many_answers_are_still_to_come() -> None:
    chance = random.Random(1)
    used = [200 + int(chance.lognormvariate(5.5, 0.6)) for _ in range(12_000)]
    request = Request("", "x" * 800, {})

    async def main() -> tuple[Admitted, float]:
        limit = QueuedLimit(0, 1_200_000)
        log = await crowd(limit, [request] * len(used), used, answer_s=30.0)
        return log, sum(await limit.acquire(request))

    log, guess = run_virtually(main())
    assert guess == pytest.approx(sum(used) / len(used), rel=0.2)
    assert sum(used) >= 0.95 * 20_000 * log[-1][0] - max(used)  # the first 30 s pass on a first guess


def test_the_largest_request_waits_for_those_before_it_and_for_nobody_else() -> None:
    async def main() -> tuple[list[float], float]:
        limit, loop = QueuedLimit(0, 600_000), asyncio.get_running_loop()
        sizes = [4000, 4000, 400_000, 4000, 40, 4000]
        waited_s: list[float] = []

        async def ask(size: int) -> None:
            await limit.acquire(Request("", "x" * size, {}))
            waited_s.append(loop.time())

        async with asyncio.TaskGroup() as asking:
            for size in sizes:
                asking.create_task(ask(size))
        return waited_s, (sum(sizes) / 4 + len(sizes) * OUTPUT_TOKENS_FIRST_GUESS) / 10_000

    waited_s, fair_s = run_virtually(main())
    assert waited_s == sorted(waited_s)
    assert waited_s[-1] <= fair_s * 1.03 + 1
    assert waited_s[2] - waited_s[1] == pytest.approx(100_256 / 10_000, rel=0.05, abs=0.2)
