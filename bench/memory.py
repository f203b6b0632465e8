"""How much memory a run takes, and whether that grows with its length.

    python -m bench.memory [--rows 20000 200000] [--in-flight 256] [--rounds 1]

The peak (VmHWM) of `personastream run` as a process, nginx answering: with exact dedup on, which is what the limit is
for, and without any dedup. The growth that counts is the one without: the dedup index is meant to grow, by some 100
bytes a row up to a million rows, and leaving it out is the surest way to take it out. As many requests are in flight
from the start (`pacing = "fixed"`): a short run that finds its concurrency by measuring never has so many.
The last line is one JSON object; sizes are megabytes of 10^6 bytes.
"""

import argparse
import tempfile
from pathlib import Path

from bench import processes
from bench.configuration import http, write_config
from bench.machine import report, say, spread
from bench.nginx import instant_server
from bench.personas import write_shard
from bench.processes import SERVER_CORE

TRANSFORMS = {"dedup": ["dedup"], "no_dedup": []}
PEAK_MB_MAX = 120.0
GROWTH_MB_MAX = 10.0


def peak_mb(folder: Path, shard: Path, base_url: str, in_flight: int, transforms: list[str]) -> float:
    """The most memory that a whole run over one shard held."""
    with tempfile.TemporaryDirectory(dir=folder) as run_folder:
        config = write_config(
            Path(run_folder, "run.toml"),
            [shard],
            provider=http(base_url, "fixed"),
            in_flight=in_flight,
            transforms=transforms,
        )
        ended = processes.run(processes.personastream("run", str(config), "--progress", "none"))
        return ended.rss_peak_bytes / 1e6


def main() -> None:
    """Measure both sizes with and without dedup, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs=2, default=[20_000, 200_000])
    parser.add_argument("--in-flight", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    small, large = options.rows
    peaks: dict[str, dict[int, list[float]]] = {name: {small: [], large: []} for name in TRANSFORMS}
    with tempfile.TemporaryDirectory(prefix="bench-memory-") as name, instant_server(SERVER_CORE) as base_url:
        folder = Path(name)
        shards = {rows: write_shard(folder / f"rows-{rows}.jsonl.zst", 0, rows) for rows in options.rows}
        for _ in range(options.rounds):
            for kind, transforms in TRANSFORMS.items():
                for rows, shard in shards.items():
                    peaks[kind][rows].append(peak_mb(folder, shard, base_url, options.in_flight, transforms))
                    say(f"{kind}, {rows} rows: {peaks[kind][rows][-1]:.1f} MB")
    report(
        "memory",
        {
            "peak_mb": {
                kind: {str(rows): spread(each) for rows, each in sizes.items()} for kind, sizes in peaks.items()
            },
            "growth_mb": {
                kind: spread([after - before for before, after in zip(sizes[small], sizes[large], strict=True)])
                for kind, sizes in peaks.items()
            },
            "in_flight": options.in_flight,
            "targets": {"peak_mb_max": PEAK_MB_MAX, "growth_mb_max": GROWTH_MB_MAX},
        },
    )


if __name__ == "__main__":
    main()
