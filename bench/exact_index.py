"""The exact index at its design size: really inserts so many random keys, looks some up again, saves and reloads.

    python -m bench.exact_index [--rows 100000000] [--bits 64] [--batch-rows 65536] [--directory /var/tmp]

Rates count the CPU of `insert` alone, the making of keys left out, in millions a second: over all, over the last tenth
(when walks are longest), and for keys that are known. `rss_bytes_per_row` is the growth of the resident set. `wrong`
is how many of the keys, all different but for a chance of 2^-64 a pair, were taken for known ones. Save includes fsync
and load reads what is in the page cache; both are in wall seconds, with their CPU beside. 10^9 rows take 6.3 GB of
memory, 6 GB of disk and some minutes. The last line is one JSON object.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bench.machine import report, resident_bytes, say
from personastream.dedup import ExactIndex

SEED = 2026
LAST_SHARE = 0.1
LOOKED_UP_BATCHES_MAX = 256

Bits = Literal[64, 128]


def batches(rows: int, batch_rows: int, bits: Bits) -> Iterator[NDArray[np.uint64]]:
    """`rows` random keys; the same ones every time."""
    random = np.random.Generator(np.random.SFC64(SEED))
    for start in range(0, rows, batch_rows):
        size = min(batch_rows, rows - start)
        yield random.integers(0, 1 << 64, (size, 2) if bits == 128 else size, np.uint64)


def fill(index: ExactIndex, rows: int, batch_rows: int, bits: Bits) -> dict[str, Any]:
    """Insert all keys; rates and how many were taken for known."""
    spent_ns, done, last_ns, last_rows = 0, 0, 0, 0
    started_s = time.perf_counter()
    for keys in batches(rows, batch_rows, bits):
        start_ns = time.process_time_ns()
        index.insert(keys)
        took_ns = time.process_time_ns() - start_ns
        spent_ns += took_ns
        done += len(keys)
        if done > (1 - LAST_SHARE) * rows:
            last_ns += took_ns
            last_rows += len(keys)
        if done % (batch_rows * 1024) == 0:
            say(f"{done:,} keys, {1e3 * done / spent_ns:.1f} M/s")
    return {
        "insert_m_per_s": round(1e3 * rows / spent_ns, 2),
        "last_tenth_m_per_s": round(1e3 * last_rows / last_ns, 2),
        "wall_s_with_making_keys": round(time.perf_counter() - started_s, 1),
        "wrong": rows - len(index),
    }


def look_up(index: ExactIndex, rows: int, batch_rows: int, bits: Bits) -> float:
    """Millions of known keys a second; all must be known."""
    spent_ns = looked_up = 0
    for _, keys in zip(range(LOOKED_UP_BATCHES_MAX), batches(rows, batch_rows, bits), strict=False):
        start_ns = time.process_time_ns()
        new = index.insert(keys)
        spent_ns += time.process_time_ns() - start_ns
        if new.any():
            raise SystemExit("a key that was inserted is not known")
        looked_up += len(keys)
    return round(1e3 * looked_up / spent_ns, 2)


def timed(action: Callable[[], None]) -> dict[str, float]:
    """Wall and CPU seconds of an action."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    action()
    return {"wall_s": round(time.perf_counter() - wall_s, 2), "cpu_s": round(time.process_time() - cpu_s, 2)}


def save(index: ExactIndex, path: Path) -> None:
    """Write the image and have it on disk."""
    with path.open("wb") as file:
        index.save(file)
        file.flush()
        os.fsync(file.fileno())


def load(index: ExactIndex, path: Path) -> None:
    """Read the image."""
    with path.open("rb") as file:
        index.load(file)


def main() -> None:
    """Run everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--bits", type=int, choices=(64, 128), default=64)
    parser.add_argument("--batch-rows", type=int, default=65_536)
    parser.add_argument("--directory", type=Path, help="where the image is written and removed again")
    options = parser.parse_args()
    rows, shape = options.rows, (options.rows, options.batch_rows, options.bits)
    fill(ExactIndex(rows, options.bits, journal=False), 1000, 1000, options.bits)  # compiles
    before_bytes = resident_bytes()
    index = ExactIndex(rows, options.bits, journal=False)
    found = fill(index, *shape)
    found["rss_bytes_per_row"] = round((resident_bytes() - before_bytes) / rows, 3)
    found["table_bytes_per_row"] = round(index.size_bytes / rows, 3)
    found["known_m_per_s"] = look_up(index, *shape)
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        path = Path(directory) / "index"
        found["save"] = timed(partial(save, index, path))
        found["image_bytes"] = path.stat().st_size
        del index  # or memory would hold it twice
        again = ExactIndex(0, options.bits, journal=False)
        found["load"] = timed(partial(load, again, path))
    found["known_after_load_m_per_s"] = look_up(again, *shape)
    report("exact_index", {"rows": rows, "bits": options.bits, "batch_rows": options.batch_rows, **found})


if __name__ == "__main__":
    main()
