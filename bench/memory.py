"""How much memory a run takes, and how little it grows.

    python -m bench.memory [--rounds 3] [--small 20000] [--large 200000]

Peak resident memory (VmHWM) of `personastream run` at 256 in flight with exact dedup and without near dedup, nginx
answering. Growth is the difference between two sizes, less that of the exact index, which is the difference between
two processes that do nothing but fill one with as many keys. The last line is one JSON object.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from bench import processes
from bench.configuration import http, write_config
from bench.machine import report, say, spread
from bench.nginx import instant_server
from bench.personas import write_shard
from bench.processes import SERVER_CORE
from personastream.dedup import KeyTable

IN_FLIGHT = 256
RSS_MB_MAX = 120
GROWTH_MB_MAX = 10


def peak_mb(base_url: str, shard: Path) -> float:
    """Peak memory of one run in MB (1e6 bytes)."""
    with tempfile.TemporaryDirectory(prefix="bench-memory-") as folder:
        config = write_config(Path(folder, "run.toml"), [shard], provider=http(base_url), in_flight=IN_FLIGHT)
        ended = processes.run(processes.personastream("run", str(config), "--progress", "none"))
        return ended.rss_peak_bytes / 1e6


def fill_index(rows: int) -> None:
    """Put so many random keys into an exact index, as batches come; for a process of its own."""
    table, keys = KeyTable(), np.random.default_rng(1).integers(1, 1 << 63, rows, dtype=np.uint64)
    for start in range(0, rows, 1024):
        table.insert(keys[start : start + 1024])


def index_mb(rows: int) -> float:
    """Peak memory of a process that does nothing but fill an exact index, in MB, less the keys it is filled with."""
    ended = processes.run(processes.bench("memory", "--fill-index", str(rows)))
    return (ended.rss_peak_bytes - 8 * rows) / 1e6


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--small", type=int, default=20_000)
    parser.add_argument("--large", type=int, default=200_000)
    parser.add_argument("--fill-index", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fill_index:
        return fill_index(options.fill_index)
    small, large = [], []
    with tempfile.TemporaryDirectory(prefix="bench-memory-") as folder, instant_server(SERVER_CORE) as base_url:
        shards = [write_shard(Path(folder, f"rows-{n}.jsonl.zst"), 0, n) for n in (options.small, options.large)]
        for number in range(options.rounds):
            small.append(peak_mb(base_url, shards[0]))
            large.append(peak_mb(base_url, shards[1]))
            say(f"round {number}: {small[-1]:.1f} MB at {options.small:,} rows, {large[-1]:.1f} at {options.large:,}")
    index = [index_mb(options.small), index_mb(options.large)]
    growth = [b - a - (index[1] - index[0]) for a, b in zip(small, large, strict=True)]
    figures = {
        "rss_peak_mb": {str(options.small): spread(small, 1), str(options.large): spread(large, 1)},
        "growth_mb_of_index": round(index[1] - index[0], 2),
        "growth_mb_without_index": spread(growth, 1),
        "in_flight": IN_FLIGHT,
        "targets": {"rss_peak_mb_max": RSS_MB_MAX, "growth_mb_max": GROWTH_MB_MAX},
    }
    return report("memory", figures)


if __name__ == "__main__":
    main()
