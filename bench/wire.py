"""What one POST costs by `ClientSession` and by `Wire`, on the same connections of the same connector.

    python -m bench.wire [--rounds 7] [--requests 20000] [--in-flight 64]

nginx answers at once; nothing is made of the answers. Both take turns in one process on core 0, with nginx on core 1.
The last line is one JSON object; times are microseconds of CPU per request.
"""

import argparse
import os
import time
from collections.abc import Awaitable, Callable
from itertools import repeat

import aiohttp
import anyio
import uvloop
from yarl import URL

from bench.floor import body
from bench.machine import report, say, spread
from bench.nginx import instant_server
from bench.processes import CLIENT_CORE, SERVER_CORE
from personastream.providers.wire import Wire

HEADERS = {"Content-Type": "application/json", "Accept-Encoding": "identity", "Authorization": "Bearer bench"}
TIMEOUT = aiohttp.ClientTimeout(total=None)
DATA = body("bench", b'{"persona": "a beekeeper who counts in dozens and moves her hives by night, twice a year"}')

Post = Callable[[], Awaitable[int]]
"""One request; returns how long the reply is."""


async def cost_us(post: Post, requests: int, in_flight: int) -> float:
    """Microseconds of CPU per request."""
    left = repeat(None, requests)

    async def work() -> None:
        for _ in left:
            assert await post() > 0

    started_s = time.process_time()
    async with anyio.create_task_group() as workers:
        for _ in range(in_flight):
            workers.start_soon(work)
    return (time.process_time() - started_s) / requests * 1e6


async def measure(base_url: str, rounds: int, requests: int, in_flight: int) -> dict[str, list[float]]:
    """The costs of both, round by round."""
    url = URL(base_url + "/chat/completions")
    connector = aiohttp.TCPConnector(limit=0)
    session = aiohttp.ClientSession(
        connector=connector,
        headers=HEADERS,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=TIMEOUT,
    )
    wire = Wire(connector, url, HEADERS, TIMEOUT)

    async def by_session() -> int:
        async with session.post(url, data=DATA) as response:
            return len(await response.read())

    async def by_wire() -> int:
        reply = await wire.post(DATA, lambda _, content: content.read())
        return len(reply.body)

    ways: dict[str, Post] = {"session": by_session, "wire": by_wire}
    costs: dict[str, list[float]] = {name: [] for name in ways}
    async with session:
        for number in range(-1, rounds):  # the first round warms up
            for name, post in ways.items():
                cost = await cost_us(post, requests, in_flight)
                if number >= 0:
                    costs[name].append(cost)
            if number >= 0:
                say(f"round {number}: " + ", ".join(f"{name} {each[-1]:.1f}" for name, each in costs.items()))
    return costs


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--in-flight", type=int, default=64)
    options = parser.parse_args()
    with instant_server(SERVER_CORE) as base_url:
        os.sched_setaffinity(0, {CLIENT_CORE})
        costs = uvloop.run(measure(base_url, options.rounds, options.requests, options.in_flight))
    ratios = [session / wire for session, wire in zip(costs["session"], costs["wire"], strict=True)]
    figures = {"cpu_us_per_request": {name: spread(each, 1) for name, each in costs.items()}}
    report("wire", {**figures, "session_to_wire": spread(ratios, 2), "in_flight": options.in_flight})


if __name__ == "__main__":
    main()
