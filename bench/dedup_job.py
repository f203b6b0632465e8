"""A dedup job from end to end: zstd in, zstd out, as a process of its own, rows a second of CPU and peak memory.

    python -m bench.dedup_job [--rows 1000000] [--method simhash] [--folder DIR]

Rows are sample personas of up to 16 words, some 90 bytes, one in ten followed by a near copy and one in twenty by an
exact one, in shards of a million rows; with --folder they are kept there, and used again. CPU is that of the whole
process, user and system. The last line is one JSON object.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import zstandard

from bench.machine import report, say
from bench.personas import with_copies

SHARD_ROWS = 1_000_000
FRAME_ROWS = 50_000


def write_shards(folder: Path, rows: int) -> None:
    """Shards of a million rows, as far as they are not there."""
    source, compressor = with_copies(), zstandard.ZstdCompressor(level=3, write_checksum=True)
    paths = [folder / f"rows-{start // SHARD_ROWS:05d}.jsonl.zst" for start in range(0, rows, SHARD_ROWS)]
    if all(path.exists() for path in paths):
        return
    folder.mkdir(parents=True, exist_ok=True)
    for place, path in enumerate(paths):
        left = min(SHARD_ROWS, rows - place * SHARD_ROWS)
        with path.open("wb") as file:
            for start in range(0, left, FRAME_ROWS):
                part = islice(source, min(FRAME_ROWS, left - start))
                file.write(compressor.compress(b"".join(orjson.dumps({"persona": text}) + b"\n" for text in part)))
        say(f"{path.name}: {left:,} rows, {path.stat().st_size:,} bytes")


def run(folder: Path, out: Path, options: list[str]) -> dict[str, Any]:
    """One job in a process of its own."""
    command = [sys.executable, "-m", "personastream", "dedup", str(folder / "rows-*.jsonl.zst"), "--out", str(out)]
    started_s = time.perf_counter()
    process = subprocess.Popen([*command, *options])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the job ended with status {status}")
    return {
        "wall_s": round(time.perf_counter() - started_s, 2),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "system_s": round(usage.ru_stime, 2),
        "rss_mb": round(usage.ru_maxrss / 1024, 1),
    }


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--method", default="simhash")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-dedup-") as temporary:
        folder = options.folder or Path(temporary, "in")
        write_shards(folder / str(options.rows), options.rows)
        out = Path(temporary, "out")
        figures = run(folder / str(options.rows), out, ["--method", options.method, "--progress", "none"])
        told = orjson.loads((out / "report.json").read_bytes())
        sizes = {each["type"]: each["index_bytes"] for each in told["transforms"]}
        rows_in = sum(path.stat().st_size for path in (folder / str(options.rows)).iterdir())
        rows_out = sum(path.stat().st_size for path in (out / "data").iterdir())
    report(
        "dedup_job",
        {
            "rows": options.rows,
            "method": options.method,
            **figures,
            "rows_per_cpu_s": round(options.rows / figures["cpu_s"]),
            "kept": told["rows"]["kept"],
            "dropped": told["rows"]["dropped"],
            "index_bytes": sizes,
            "rss_beside_index_mb": round(figures["rss_mb"] - sum(sizes.values()) / (1 << 20), 1),
            "bytes_in": rows_in,
            "bytes_out": rows_out,
        },
    )


if __name__ == "__main__":
    main()
