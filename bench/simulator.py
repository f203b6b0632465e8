"""How many requests the simulator takes on one core, asked by a raw client on the other.

Prints one JSON object as its last line. `requests_per_cpu_s` is requests per second of the server's CPU time
(user and system): what one core can do, also on a machine where others take turns.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from time import perf_counter
from typing import cast
from urllib.parse import urlsplit

import orjson
import uvloop
from httptools import HttpResponseParser

SERVER_CORE, CLIENT_CORE = 1, 0
COMMAND = [sys.executable, "-m", "personastream", "simulate", "--port", "0"]
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Client(asyncio.Protocol):
    """One connection that asks again as soon as it has an answer."""

    def __init__(self, requests: Iterator[bytes], done: asyncio.Event) -> None:
        self.requests, self.done = requests, done
        self.parser = HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.on_message_complete()

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        request = next(self.requests, None)
        if request is None:
            self.done.set()
        else:
            self.transport.write(request)


def requests(count: int, tag: int) -> Iterator[bytes]:
    """`count` distinct requests with the shipped math template, about 1.4 KB each."""
    template = tomllib.loads((files("personastream") / "templates" / "math.toml").read_text("utf-8"))["user"]
    for number in range(count):
        persona = f"A surveyor of tract {number} in county {tag} who restores old clocks and keeps a weather diary"
        messages = [{"role": "user", "content": template.replace("{persona}", persona)}]
        body = orjson.dumps({"model": "m", "messages": messages, "temperature": 0.7, "max_tokens": 1024})
        yield (
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer none\r\n"
            b"content-type: application/json\r\naccept: */*\r\nuser-agent: bench\r\ncontent-length: %d\r\n\r\n%b"
            % (len(body), body)
        )


async def ask(port: int, wire: list[bytes], connections: int) -> float:
    """Seconds it takes to have all requests answered."""
    loop, pending, done = asyncio.get_running_loop(), iter(wire), asyncio.Event()
    started = perf_counter()
    for _ in range(connections):
        await loop.create_connection(lambda: Client(pending, done), "127.0.0.1", port)
    await done.wait()
    return perf_counter() - started


def cpu_s(pid: int) -> float:
    """User and system CPU seconds of a process so far."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def measure(options: list[str], count: int, connections: int, rounds: int) -> dict[str, float]:
    """Run the simulator with `options`; medians over the rounds, after one that does not count."""
    with subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = urlsplit(server.stdout.readline()).port or 0
        os.sched_setaffinity(server.pid, {SERVER_CORE})
        rates, costs = [], []
        for tag in range(rounds + 1):
            wire = list(requests(count, tag))
            before = cpu_s(server.pid)
            wall_s = uvloop.run(ask(port, wire, connections))
            rates.append(count / wall_s)
            costs.append((cpu_s(server.pid) - before) / count)
        server.terminate()
    cost_s = statistics.median(costs[1:])
    return {
        "requests_per_s": round(statistics.median(rates[1:])),
        "cpu_us_per_request": round(cost_s * 1e6, 1),
        "requests_per_cpu_s": round(1 / cost_s),
    }


def main() -> None:
    """Measure the simulator bare, and with limits, faults and the log on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=40_000, help="per round")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {CLIENT_CORE})
    size = (arguments.requests, arguments.connections, arguments.rounds)
    all_on = ["--requests-per-minute", "1000000000", "--tokens-per-minute", "1000000000000", "--fault", "500=0.01"]
    result = {
        "benchmark": "simulator",
        "plain": measure([], *size),
        "limits_faults_log": measure([*all_on, "--log", "/dev/null"], *size),
        "connections": arguments.connections,
        "load_average": os.getloadavg()[0],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
