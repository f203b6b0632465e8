"""What a row costs in the service, with its page open and its metrics scraped, against the floor.

    python -m bench.service [--in-flight 64] [--rounds 5] [--rows 20000]

As in `bench.engine`: nginx answers at once, two sizes of input, the slope between them, in turns with the floor. The
service is `personastream serve` on the floor's core; a listener takes its events as the page does, and its metrics are
asked for every five seconds, from the other core. The last line is one JSON object; times are microseconds of CPU.
"""

import argparse
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import aiohttp
import anyio

from bench import processes
from bench.configuration import REQUESTS_PER_MINUTE, TEMPLATE, TOKENS_PER_MINUTE
from bench.engine import SMALL_ROWS, Contenders
from bench.machine import report, say, spread
from bench.nginx import instant_server
from bench.personas import write_shard
from bench.processes import SERVER_CORE
from personastream.errors import ProviderDown
from personastream.serve.client import Client

FLOOR_RATIO_MAX = 1.3
SCRAPE_S = 5.0
LOOK_S = 0.1
START_S_MAX = 60.0


def cpu_s(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def configuration(base_url: str, shard: Path, in_flight: int) -> str:
    """A job with exact dedup and limits so high that only their code runs."""
    return f"""
[source]
paths = [{json.dumps(str(shard))}]
[[transform]]
type = "dedup"
[recipe]
template = {json.dumps(str(TEMPLATE))}
[provider]
base_url = {json.dumps(base_url)}
model = "bench"
pacing = "fixed"
in_flight_max = {in_flight}
requests_per_minute = {REQUESTS_PER_MINUTE}
tokens_per_minute = {TOKENS_PER_MINUTE}
"""


class Service:
    """A service that jobs are given to, one after the other."""

    def __init__(self, pid: int, client: Client) -> None:
        self._pid, self._client, self._jobs = pid, client, 0

    def cost_s(self, config: str) -> float:
        """CPU seconds of the service from a job's submission to its end."""
        self._jobs += 1
        name, before_s = f"job{self._jobs}", cpu_s(self._pid)
        self._client.call("POST", "/v1/jobs", {"name": name, "config": config})
        while (state := self._client.call("GET", f"/v1/jobs/{name}")["state"]) != "done":
            if state in ("failed", "waiting"):
                raise SystemExit(f"{name} is {state}")
            time.sleep(LOOK_S)
        return cpu_s(self._pid) - before_s


@contextmanager
def served(folder: Path) -> Iterator[Service]:
    """The service, with somebody who watches it."""
    command = processes.personastream("serve", "--root", str(folder), "--set", 'api.listen="127.0.0.1:0"')
    with (folder.parent / "service.log").open("w") as log:
        process = processes.start(command, core=processes.CLIENT_CORE, stdout=log, stderr=log)
        try:
            client = _client(folder)
            threading.Thread(target=anyio.run, args=(_watch, client), daemon=True).start()
            yield Service(process.pid, client)
        finally:
            process.terminate()
            process.wait()


def _client(folder: Path) -> Client:
    end_s = time.monotonic() + START_S_MAX
    while True:
        with suppress(ProviderDown):
            client = Client.of_root(folder)
            client.call("GET", "/v1/jobs")
            return client
        if time.monotonic() > end_s:
            raise SystemExit("the service does not start")
        time.sleep(LOOK_S)


async def _watch(client: Client) -> None:
    """Take events as the page does, and scrape now and then, until the service ends."""
    headers = {"Authorization": f"Bearer {client.token}"}
    async with aiohttp.ClientSession(client.address, headers=headers) as session, anyio.create_task_group() as both:
        both.start_soon(_scrape, session)
        with suppress(aiohttp.ClientError):
            async with session.get("/v1/events", timeout=aiohttp.ClientTimeout(total=None)) as events:
                async for _ in events.content.iter_any():
                    pass
        both.cancel_scope.cancel()


async def _scrape(session: aiohttp.ClientSession) -> None:
    while True:
        await anyio.sleep(SCRAPE_S)
        with suppress(aiohttp.ClientError):  # it may have ended
            async with session.get("/metrics") as metrics:
                await metrics.read()


def main() -> None:
    """Measure in turns, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=20_000, help="difference between the two sizes")
    options = parser.parse_args()
    costs: dict[str, list[float]] = {"floor": [], "service": []}
    with tempfile.TemporaryDirectory(prefix="bench-service-") as name, instant_server(SERVER_CORE) as base_url:
        folder = Path(name)
        floor = Contenders(folder, base_url, options.rows, options.in_flight)
        sizes = (SMALL_ROWS, SMALL_ROWS + options.rows)
        small, large = (
            configuration(base_url, write_shard(folder / f"job-{size}.jsonl.zst", 0, size), options.in_flight)
            for size in sizes
        )
        with served(folder / "root") as service:
            service.cost_s(small)  # what is loaded with the first job
            for number in range(options.rounds):
                costs["floor"].append(floor.floor(options.in_flight))
                costs["service"].append((-service.cost_s(small) + service.cost_s(large)) / options.rows * 1e6)
                say(f"round {number}: " + ", ".join(f"{name} {values[-1]:.0f}" for name, values in costs.items()))
    ratios = [a / b for a, b in zip(costs["service"], costs["floor"], strict=True)]
    figures = {
        "cpu_us_per_row": {name: spread(values, 1) for name, values in costs.items()},
        "to_floor": spread(ratios, 3),
        "targets": {"to_floor_max": FLOOR_RATIO_MAX},
        "in_flight": options.in_flight,
        "rows": options.rows,
    }
    report("service", figures)


if __name__ == "__main__":
    main()
