"""What dedup by meaning costs and misses, vectors given: no model is asked.

    python -m bench.semantic [--rows 20000] [--dimensions 384]

Random vectors of length one, then near copies of a quarter of them (cosine about 0.95), through `SemanticIndex` at 0.9:
CPU of one core a row, memory a row, the share of copies that was missed, and by how much a byte a dimension moves the
cosine of a row and its copy at the most.
"""

import argparse
import time

import numpy as np

from bench.machine import report, resident_bytes
from personastream.dedup.semantic_index import SemanticIndex, coarse

SEED = 2026
COPY_EVERY = 4
NOISE = 0.3


def main() -> None:
    """Measure and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--dimensions", type=int, default=384)
    options = parser.parse_args()
    chance = np.random.default_rng(SEED)
    rows = chance.normal(size=(options.rows, options.dimensions)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    noise = chance.normal(size=rows[::COPY_EVERY].shape) * NOISE / np.sqrt(options.dimensions)
    copies = (rows[::COPY_EVERY] + noise).astype(np.float32)
    copies /= np.linalg.norm(copies, axis=1, keepdims=True)

    index, before_bytes, begin_s = SemanticIndex(0.9), resident_bytes(), time.process_time()
    new = sum(index.insert(row) for row in rows)
    spent_s, grown_bytes = time.process_time() - begin_s, resident_bytes() - before_bytes
    missed = sum(index.insert(copy) for copy in copies)

    bytes_of = [np.array([coarse(one) for one in side], np.float32) for side in (rows[::COPY_EVERY], copies)]
    lengths = np.linalg.norm(bytes_of[0], axis=1) * np.linalg.norm(bytes_of[1], axis=1)
    moved = np.abs((bytes_of[0] * bytes_of[1]).sum(axis=1) / lengths - (rows[::COPY_EVERY] * copies).sum(axis=1))
    figures = {
        "rows": options.rows,
        "dimensions": options.dimensions,
        "dropped_wrongly": options.rows - new,
        "cpu_ms_per_row": round(1e3 * spent_s / options.rows, 3),
        "bytes_per_row": round(grown_bytes / options.rows),
        "copies_missed_share": missed / len(copies),
        "cosine_moved_most": round(float(moved.max()), 5),
    }
    report("semantic", figures)


if __name__ == "__main__":
    main()
