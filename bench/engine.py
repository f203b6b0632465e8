"""What the whole engine costs per row, against the floor and against the official SDK doing the same work.

    python -m bench.engine [--in-flight 64 256] [--rounds 7] [--rows 20000] [--near]

nginx answers at once. In every round each contender runs two sizes as a process of its own; the slope between them
is its CPU time per row, without start-up. The SDK is measured inside its process, after a warm-up. Contenders take
turns, clients on core 0 and nginx on core 1, and a ratio is the median of the rounds' ratios: the load of a shared
machine then falls on all alike. The last line is one JSON object; times are microseconds of CPU per row.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import processes
from bench.configuration import http, write_config
from bench.machine import report, say, softirq_shares, spread
from bench.nginx import instant_server
from bench.personas import write_shard
from bench.processes import SERVER_CORE

SMALL_ROWS = 2_000
SDK_ROWS_SHARE = 0.08
SDK_ROWS_MIN = 300
FLOOR_RATIO_MAX = 1.25
SDK_RATIO_MIN = 10.0

Cost = Callable[[int], float]
"""Microseconds of CPU per row at so many requests in flight."""


class Contenders:
    """Runs each contender on the same rows; every run has an output folder of its own."""

    def __init__(self, folder: Path, base_url: str, rows: int, in_flight_max: int) -> None:
        self._folder = folder
        self._base_url = base_url
        sdk_rows = 2 * in_flight_max + max(SDK_ROWS_MIN, int(rows * SDK_ROWS_SHARE))  # its warm-up first
        sizes = {SMALL_ROWS, SMALL_ROWS + rows, sdk_rows}
        self._shards = {size: write_shard(folder / f"rows-{size}.jsonl.zst", 0, size) for size in sizes}
        self._large = SMALL_ROWS + rows
        self._sdk_rows = sdk_rows

    def floor(self, in_flight: int) -> float:
        """The minimal engine."""
        return self._slope(lambda rows: self._client("floor", rows, in_flight).cpu_s)

    def sdk(self, in_flight: int) -> float:
        """AsyncOpenAI."""
        ended = self._client("sdk", self._sdk_rows, in_flight)
        cost = json.loads(ended.stdout.splitlines()[-1])
        return float(cost["cpu_s"] / cost["rows"] * 1e6)

    def engine(self, in_flight: int) -> float:
        """`personastream run` with exact dedup, limits, retries and commits, and as many in flight as the floor has."""
        return self._slope(lambda rows: self._engine(rows, in_flight, ["dedup"]))

    def engine_adaptive(self, in_flight: int) -> float:
        """The same that finds by measuring how many in flight are enough: fewer, so the event loop wakes more often."""
        return self._slope(lambda rows: self._engine(rows, in_flight, ["dedup"], "adaptive"))

    def engine_near(self, in_flight: int) -> float:
        """The same with near dedup as well."""
        return self._slope(lambda rows: self._engine(rows, in_flight, ["dedup", "near_dedup"]))

    def _slope(self, cpu_s: Callable[[int], float]) -> float:
        small, large = cpu_s(SMALL_ROWS), cpu_s(self._large)
        return (large - small) / (self._large - SMALL_ROWS) * 1e6

    def _client(self, name: str, rows: int, in_flight: int) -> processes.Finished:
        words = [str(self._shards[rows]), str(self._folder / "output.zst"), self._base_url, "--in-flight"]
        return processes.run(processes.bench(name, *words, str(in_flight)))

    def _engine(self, rows: int, in_flight: int, transforms: Sequence[str], pacing: str = "fixed") -> float:
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            config = write_config(
                Path(folder, "run.toml"),
                [self._shards[rows]],
                provider=http(self._base_url, pacing),
                in_flight=in_flight,
                transforms=transforms,
            )
            return processes.run(processes.personastream("run", str(config), "--progress", "none")).cpu_s


def compare(contenders: dict[str, Cost], in_flight: int, rounds: int) -> dict[str, object]:
    """Let the contenders take turns; their costs, and the ratios between them."""
    costs: dict[str, list[float]] = {name: [] for name in contenders}
    softirq_s = softirq_shares()
    for number in range(rounds):
        for name, cost in contenders.items():
            costs[name].append(cost(in_flight))
        say(f"{in_flight} in flight, round {number}: " + ", ".join(f"{name} {c[-1]:.0f}" for name, c in costs.items()))

    def ratio(above: str, below: str) -> dict[str, object]:
        return spread([a / b for a, b in zip(costs[above], costs[below], strict=True)], 3)

    engines = [name for name in costs if name.startswith("engine")]
    return {
        "cpu_us_per_row": {name: spread(values, 1) for name, values in costs.items()},
        "to_floor": {name: ratio(name, "floor") for name in engines},
        "sdk_to_engine": ratio("sdk", "engine") if "sdk" in costs else None,
        "softirq_s": [round(after - before, 2) for before, after in zip(softirq_s, softirq_shares(), strict=True)],
    }


def main() -> None:
    """Measure at each number of requests in flight and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--in-flight", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rows", type=int, default=20_000, help="difference between the two sizes")
    parser.add_argument("--near", action="store_true", help="also with near dedup")
    parser.add_argument("--no-sdk", action="store_true", help="leave the SDK out: it takes most of the time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-engine-") as folder, instant_server(SERVER_CORE) as base_url:
        runs = Contenders(Path(folder), base_url, options.rows, max(options.in_flight))
        contenders: dict[str, Cost] = {
            "floor": runs.floor,
            "engine": runs.engine,
            "engine_adaptive": runs.engine_adaptive,
        }
        if options.near:
            contenders["engine_near"] = runs.engine_near
        if not options.no_sdk:
            contenders["sdk"] = runs.sdk
        figures = {str(many): compare(contenders, many, options.rounds) for many in options.in_flight}
    targets = {"to_floor_max": FLOOR_RATIO_MAX, "sdk_to_engine_min": SDK_RATIO_MIN}
    report("engine", {"in_flight": figures, "targets": targets, "rows": options.rows})


if __name__ == "__main__":
    main()
