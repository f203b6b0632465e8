"""What near deduplication costs and finds: from texts to decisions, and against brute force.

    python -m bench.near_dedup [--rows 1000000] [--quality-rows 30000] [--batch-rows 8192]

Speed: `NearDedup` on lists of str, by method and shape of rows (`bench.planted`), in rows a second of CPU time; memory
a row for index and evidence apart, in bytes, at that many rows expected. The caches of compiled code are filled before.

Quality: rows that are the same in normal form are taken out first. A row counts as a copy if some earlier row that the
method has kept has Jaccard similarity 0.9 or more, worked out for every pair. Recall is the share of copies that were
dropped; precision the share of dropped rows that are copies, at 0.9 and at 0.8. For SimHash, every pair of 50,000
signatures is compared, too: of the rows with a kept row within the distance and similar enough, how many were dropped.
"""

import argparse
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.machine import report, say
from bench.planted import SHAPES, planted
from personastream.dedup import hash_words, normalise, signatures_and_sketches
from personastream.dedup.jit import count_ones, jit
from personastream.dedup.sketch_kernels import similarity_bound
from personastream.packed import Numbers
from personastream.records import Batch, Shard
from personastream.transforms.near_dedup import NearDedup

SEED = 2026
SHARD = Shard(0, "bench", "bench.jsonl", 0, "")
METHODS: dict[str, dict[str, Any]] = {
    "simhash": {},
    "jaccard": {"method": "jaccard", "similarity_min": 0.9},
    "minhash": {"method": "minhash", "similarity_min": 0.9},
}
TARGETS = {
    "rows_per_s_min": 800_000,
    "jaccard_recall_min": 0.99,
    "jaccard_precision_min": 0.98,
    "minhash_recall_min": 0.98,
}
Rows = NDArray[np.bool_]


def decide(near: NearDedup, texts: list[str], batch_rows: int) -> tuple[Rows, float]:
    """Which rows are kept, and the CPU time that took, in seconds."""
    kept = np.zeros(len(texts), np.bool_)
    spent_s = 0.0
    for start in range(0, len(texts), batch_rows):
        part = texts[start : start + batch_rows]
        stop = start + len(part)
        batch = Batch(SHARD, start, stop, Numbers(np.arange(start, stop)), part)
        begin_s = time.process_time()
        after = near(batch)
        near.learnt()
        spent_s += time.process_time() - begin_s
        kept[list(after.numbers)] = True
    return kept, spent_s


def speed(method: str, texts: list[str], batch_rows: int) -> dict[str, float]:
    """Rate, memory and what was dropped."""
    decide(NearDedup(**METHODS[method]), texts[:1000], batch_rows)
    near = NearDedup(**METHODS[method])
    near.expect(len(texts))
    kept, spent_s = decide(near, texts, batch_rows)
    index = near._index
    return {
        "rows_per_s_cpu": round(len(texts) / spent_s),
        "index_bytes_per_row": round(index.size_bytes / len(texts), 1),
        "evidence_bytes_per_row": round(index.evidence_bytes / len(texts), 1),
        "dropped_share": round(1 - float(kept.mean()), 4),
        "given_up": near.given_up,
    }


def quality(method: str, texts: list[str], batch_rows: int) -> dict[str, float]:
    """Recall and precision against all pairs."""
    near = NearDedup(**METHODS[method])
    kept, _ = decide(near, texts, batch_rows)
    words = hash_words(texts)
    sets = [np.unique(words.hashes[start:stop]) for start, stop in zip(words.starts, words.starts[1:], strict=False)]
    starts = np.append(0, np.cumsum([len(row) for row in sets]))
    best = best_similarity(np.concatenate(sets), starts, kept)
    copies, dropped = best >= 0.9, ~kept
    return {
        "recall": round(float(dropped[copies].mean()), 5),
        "precision": round(float(copies[dropped].mean()), 4),
        "precision_at_0.8": round(float((best >= 0.8)[dropped].mean()), 4),
        "copies": int(copies.sum()),
        "given_up": near.given_up,
    }


@jit
def best_similarity(words: NDArray[np.uint64], starts: NDArray[np.int64], kept: Rows) -> NDArray[np.float64]:
    """For each row, the highest Jaccard similarity to an earlier kept one; rows are sorted distinct words."""
    best = np.zeros(len(kept), np.float64)
    for row in range(len(kept)):
        size = starts[row + 1] - starts[row]
        for other in range(row):
            other_size = starts[other + 1] - starts[other]
            if not kept[other] or 10 * min(size, other_size) < 7 * max(size, other_size):
                continue
            here, there, shared = starts[row], starts[other], 0
            while here < starts[row + 1] and there < starts[other + 1]:
                shared += words[here] == words[there]
                forward = words[here] <= words[there]
                there += words[there] <= words[here]
                here += forward
            best[row] = max(best[row], shared / (size + other_size - shared))
    return best


def within_distance(texts: list[str], batch_rows: int) -> dict[str, float]:
    """Of rows that have a kept row within the distance and similar enough: the share that was dropped, and others."""
    near = NearDedup()
    kept, _ = decide(near, texts, batch_rows)
    signatures, sketches, _ = signatures_and_sketches(texts)
    copies = close_rows(signatures, sketches, kept, near.distance_max, near.similarity_min)
    return {
        "rows": len(texts),
        "copies": int(copies.sum()),
        "recall": round(float((~kept)[copies].mean()), 6),
        "dropped_without_reason": int((~kept & ~copies).sum()),
    }


@jit
def close_rows(
    signatures: NDArray[np.uint64], sketches: NDArray[np.uint64], kept: Rows, distance_max: int, similarity_min: float
) -> Rows:
    """Which rows are near copies of an earlier kept one, all pairs compared."""
    close = np.zeros(len(kept), np.bool_)
    for row in range(len(kept)):
        for other in range(row):
            if kept[other] and count_ones(signatures[row] ^ signatures[other]) <= distance_max:
                bound = similarity_bound(sketches[row, 0], sketches[row, 1], sketches[other, 0], sketches[other, 1])
                close[row] |= bound >= similarity_min
    return close


def main() -> None:
    """Measure all and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--quality-rows", type=int, default=30_000)
    parser.add_argument("--batch-rows", type=int, default=8192)
    options = parser.parse_args()
    found: dict[str, Any] = {"speed": {}, "quality": {}}
    for shape in SHAPES:
        unlike = list({normalise(text): text for text in planted(options.quality_rows, SEED, shape).texts}.values())
        for method in METHODS:
            found["quality"].setdefault(method, {})[shape] = quality(method, unlike, options.batch_rows)
            say(f"{method:8} {shape:6} {len(unlike):,} rows: {found['quality'][method][shape]}")
    found["within_distance"] = within_distance(planted(50_000, SEED, "medium").texts, options.batch_rows)
    say(f"simhash, all pairs: {found['within_distance']}")
    for shape in SHAPES:
        texts = planted(options.rows, SEED, shape).texts
        for method in METHODS:
            found["speed"].setdefault(method, {})[shape] = speed(method, texts, options.batch_rows)
            say(f"{method:8} {shape:6} {len(texts):,} rows: {found['speed'][method][shape]}")
    report("near_dedup", {"rows": options.rows, "batch_rows": options.batch_rows, **found, "targets": TARGETS})


if __name__ == "__main__":
    main()
