"""`SimhashIndex` at scale: rate, memory, and whether planted copies are found after all those rows.

    python -m bench.near_scale [--rows 100000000] [--distance-max 3] [--scratch FOLDER]

Signatures and sketches are random (a hash of a row's number, so that any row can be made again). Every fifth row is a
near copy of one of all rows before it, however long ago: up to `distance_max` bits of the signature flipped, the same
words. CPU is that of `insert` and `learnt`; bytes are those of index and evidence apart, for each row expected, and
evidence lies in a scratch file as in `near_dedup`. The last tenth of the rows is told apart, as tables are full there.

The extrapolation to 1e9 rows is plain: bytes a row stay, and so does the time of a row in the last tenth: the look-ups
are the same, and in a larger table as many of them find something.
"""

import argparse
import math
import time
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.machine import report, say
from personastream.dedup import SimhashIndex
from personastream.transforms.scratch_rows import scratch_rows

BATCH_ROWS = 65_536
SEED = 2026
COPY_EVERY = 5
SIZE_WORDS = 14
TARGETS = {"rows_per_s_min": 500_000, "index_bytes_per_row_max": 14, "recall_min": 0.99}

Words = NDArray[np.uint64]


def mixed(values: Words, series: int) -> Words:
    """A number of 64 bits for each, by the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014)."""
    values = (values + np.uint64(series)) * np.uint64(0x9E37_79B9_7F4A_7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58_476D_1CE4_E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D0_49BB_1331_11EB)
    return values ^ (values >> np.uint64(31))


def batch(start: int, stop: int, distance_max: int, random: np.random.Generator) -> tuple[Words, Words, Words]:
    """Signatures and sketches of rows `start` to `stop - 1`, and which of them are copies."""
    rows = np.arange(start, stop, dtype=np.uint64)
    copies = (rows % np.uint64(COPY_EVERY) == np.uint64(COPY_EVERY - 1)).nonzero()[0]
    origins = random.integers(0, rows[copies] - np.uint64(1), dtype=np.uint64)
    origins -= origins % np.uint64(COPY_EVERY) == np.uint64(COPY_EVERY - 1)  # of a row that is no copy itself
    rows[copies] = origins
    signatures, sketches = mixed(rows, 1), np.stack([mixed(rows, 2), mixed(rows, 3)], axis=1)
    sketches[:, 1] = (sketches[:, 1] >> np.uint64(8)) | np.uint64(SIZE_WORDS << 56)
    for _ in range(distance_max):
        signatures[copies] ^= np.uint64(1) << random.integers(0, 64, len(copies), np.uint64)
    return signatures, sketches, copies


def measure(index: SimhashIndex, rows: int, distance_max: int) -> dict[str, Any]:
    """Fill the index; rates, recall, and how many fresh rows were dropped, which should be none."""
    random = np.random.default_rng(SEED)
    spent_s, last_tenth_s = 0.0, 0.0
    planted = found = wrong = 0
    for start in range(0, rows, BATCH_ROWS):
        signatures, sketches, copies = batch(start, min(start + BATCH_ROWS, rows), distance_max, random)
        begin_s = time.process_time()
        new = index.insert(signatures, sketches)
        index.learnt()
        took_s = time.process_time() - begin_s
        spent_s += took_s
        last_tenth_s += took_s if start >= 0.9 * rows else 0
        planted += len(copies)
        found += len(copies) - int(new[copies].sum())
        wrong += int((~new).sum()) - (len(copies) - int(new[copies].sum()))
        if start // BATCH_ROWS % (rows // BATCH_ROWS // 10 + 1) == 0:
            say(f"{start:>13,} rows, {spent_s:7.1f} s CPU, recall {found / planted:.6f}")
    return {
        "rows": rows,
        "kept": len(index),
        "rows_per_s_cpu": round(rows / spent_s),
        "rows_per_s_cpu_last_tenth": round(rows / 10 / last_tenth_s) if last_tenth_s else 0,
        "planted": planted,
        "recall": round(found / planted, 6),
        "fresh_rows_dropped": wrong,
        "index_bytes_per_row": round(index.size_bytes / rows, 2),
        "evidence_bytes_per_row": round(index.evidence_bytes / rows, 2),
        "given_up": index.given_up,
    }


def extrapolated(found: dict[str, Any], rows: int) -> dict[str, Any]:
    """What to expect of that many rows."""
    return {
        "rows": rows,
        "index_gb": round(found["index_bytes_per_row"] * rows / 1e9, 1),
        "evidence_gb": round(found["evidence_bytes_per_row"] * rows / 1e9, 1),
        "cpu_hours_at_most": round(rows / max(1, found["rows_per_s_cpu_last_tenth"]) / 3600, 2),
    }


def main() -> None:
    """Fill an index and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--distance-max", type=int, default=3)
    parser.add_argument("--scratch", default="")
    options = parser.parse_args()
    room = partial(scratch_rows, folder=options.scratch)
    measure(SimhashIndex(1000, options.distance_max), 1000, options.distance_max)  # compiles
    found = measure(SimhashIndex(options.rows, options.distance_max, evidence=room), options.rows, options.distance_max)
    say(f"{math.log10(options.rows):.1f}: {found}")
    report("near_scale", {**found, "at_1e9": extrapolated(found, 10**9), "targets": TARGETS})


if __name__ == "__main__":
    main()
