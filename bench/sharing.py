"""What jobs that share an endpoint get of it, how soon a live change is felt, and what the sharing costs.

    python -m bench.sharing [--seconds 10] [--rounds 5] [--rows 20000]

Two jobs with weights 3 to 1 in one process ask `personastream simulate` (50 ms an answer), which both could fill
alone: `ratio` is that of their answers over so many seconds. Then ceilings are changed while they run: `felt_s` is how
long it takes until the number in flight, or the requests of 100 ms, are what they should be. Cost is CPU time per row
against nginx, as in `bench.engine`: one run alone, and two jobs side by side with half the rows each, in turns. The
last line is one JSON object.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio

from bench import processes
from bench.configuration import http, write_config
from bench.machine import report, say, spread
from bench.nginx import instant_server
from bench.personas import write_shard
from bench.processes import SERVER_CORE
from bench.utilisation import simulator
from personastream.config import load
from personastream.engine.exchange import Exchange, Share
from personastream.engine.shared_endpoint import SharedEndpoint
from personastream.engine.statistics import Statistics
from personastream.engine.stop import Stop
from personastream.launch.inline import sit
from personastream.launch.process import calm_collector
from personastream.records import Shard

IN_FLIGHT = 64
SMALL_ROWS = 2_000
SETTLED_AFTER_S = 2.0
FELT_S_MAX = 1.0
RATIO_OFF_MAX = 0.1
TICK_S = 0.1
CHANGES = (
    ("in_flight_max", IN_FLIGHT, 16),
    ("in_flight_max", 16, 128),
    ("requests_per_minute", 0, 6000),
    ("requests_per_minute", 6000, 600),
    ("requests_per_minute", 600, 12_000),
)


class Unseen:
    """No display."""

    async def show(self, statistics: Statistics, shards: Sequence[Shard], stop: Stop) -> None:
        await anyio.sleep_forever()


async def carry(config: str, share: Share, stop: Stop, statistics: Statistics) -> None:
    """One job, until it is done or told to stop."""
    await sit(load(config), resume=False, stop=stop, statistics=statistics, watch=Unseen(), share=share)
    share.leave()


async def both(configs: Sequence[str]) -> None:
    """Two jobs side by side, to their end: what is measured from outside."""
    exchange = Exchange(time.monotonic)
    async with anyio.create_task_group() as sitting:
        for config in configs:
            sitting.start_soon(carry, config, exchange.join(config), Stop(), Statistics())


async def watched(configs: Sequence[str], seconds: float) -> dict[str, Any]:
    """Two jobs of weights 3 and 1: their ratio, then changes while they run."""
    exchange, stop = Exchange(time.monotonic), Stop()
    seen = [Statistics() for _ in configs]
    async with anyio.create_task_group() as sitting:
        for config, weight, statistics in zip(configs, (3.0, 1.0), seen, strict=True):
            sitting.start_soon(carry, config, exchange.join(config, weight=weight), stop, statistics)
        while not all(statistics.answered for statistics in seen):  # noqa: ASYNC110 - nobody sets an event
            await anyio.sleep(TICK_S)
        await anyio.sleep(SETTLED_AFTER_S)
        before = [statistics.answered for statistics in seen]
        await anyio.sleep(seconds)
        answered = [statistics.answered - earlier for statistics, earlier in zip(seen, before, strict=True)]
        (shared,) = exchange.endpoints.values()
        felt_s = {
            f"{name} {was:g} to {becomes:g}": await _felt(exchange, shared, name, becomes)
            for name, was, becomes in CHANGES
        }
        faults = sum(sum(statistics.faults.values()) for statistics in seen)
        stop.drain()
    return {"answered": answered, "ratio": round(answered[0] / answered[1], 3), "felt_s": felt_s, "faults": faults}


async def _felt(exchange: Exchange, shared: SharedEndpoint, name: str, becomes: float) -> float:
    """Seconds from a change until it shows."""
    started_s = time.monotonic()
    exchange.change(shared.id, **{name: becomes})
    while not await (_full(shared, becomes) if name == "in_flight_max" else _rate(shared, becomes)):
        pass
    return round(time.monotonic() - started_s, 3)


async def _full(shared: SharedEndpoint, in_flight: float) -> bool:
    await anyio.sleep(TICK_S / 20)
    return 0.9 * in_flight <= shared.in_flight <= in_flight


async def _rate(shared: SharedEndpoint, per_minute: float) -> bool:
    """Whether the last tenth of a second saw as many requests as it should, or one more or less."""
    before = shared.asked.requests
    await anyio.sleep(TICK_S)
    expected = per_minute / 60 * TICK_S
    return abs(shared.asked.requests - before - expected) <= 1 + 0.1 * expected


class Cost:
    """CPU microseconds per row of a run alone, and of two that share."""

    def __init__(self, folder: Path, base_url: str, rows: int) -> None:
        self._folder, self._base_url, self._rows = folder, base_url, rows
        self._shards = {count: write_shard(folder / f"{count}.jsonl.zst", 0, count) for count in self._sizes(1)}
        self._shards |= {count: write_shard(folder / f"{count}.jsonl.zst", 0, count) for count in self._sizes(2)}

    def _sizes(self, parts: int) -> tuple[int, int]:
        return SMALL_ROWS // parts, (SMALL_ROWS + self._rows) // parts

    def per_row_us(self, parts: int) -> float:
        """The slope between two sizes, without start-up."""
        small, large = (self._cpu_s(parts, count) for count in self._sizes(parts))
        return (large - small) / self._rows * 1e6

    def _cpu_s(self, parts: int, count: int) -> float:
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            configs = [_config(Path(folder, str(part)), self._shards[count], self._base_url) for part in range(parts)]
            return processes.run(processes.bench("sharing", "--carry", *configs)).cpu_s


def _config(folder: Path, shard: Path, base_url: str) -> str:
    folder.mkdir()
    return str(write_config(folder / "run.toml", [shard], provider=http(base_url, "fixed"), in_flight=IN_FLIGHT))


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--carry", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.carry:
        calm_collector(2 * IN_FLIGHT)
        anyio.run(both, options.carry, backend_options={"use_uvloop": True})
        sys.exit()
    with tempfile.TemporaryDirectory(prefix="bench-sharing-") as name:
        folder = Path(name)
        with simulator("--latency", "0.05", "--output-tokens", "60") as base_url:
            shard = write_shard(folder / "many.jsonl.zst", 0, 400_000)
            configs = [_config(folder / job, shard, base_url) for job in ("heavy", "light")]
            figures = anyio.run(watched, configs, options.seconds, backend_options={"use_uvloop": True})
        say(str(figures))
        costs: dict[int, list[float]] = {1: [], 2: []}
        with instant_server(SERVER_CORE) as base_url:
            cost = Cost(folder, base_url, options.rows)
            for _ in range(options.rounds):
                for parts, found in costs.items():
                    found.append(cost.per_row_us(parts))
                say(f"alone {costs[1][-1]:.1f}, two {costs[2][-1]:.1f} us of CPU per row")
    ratios = [two / one for one, two in zip(costs[1], costs[2], strict=True)]
    report(
        "sharing",
        {
            **figures,
            "cpu_us_per_row": {"alone": spread(costs[1], 1), "two": spread(costs[2], 1)},
            "two_to_alone": spread(ratios, 3),
            "targets": {"ratio": 3.0, "ratio_off_max": RATIO_OFF_MAX, "felt_s_max": FELT_S_MAX},
        },
    )


if __name__ == "__main__":
    main()
