"""What a row costs in `dedup` and `near_dedup`: CPU and memory, from texts to decisions.

    python -m bench.dedup [--rows 20000 200000 1000000] [--batch-rows 2048] [--distance-max 3]

Sample personas of up to 16 words (14 on average, as in Persona Hub), one in ten followed by a near copy and one in
twenty by an exact one. CPU is that of the transform's calls alone, in nanoseconds a row; memory is the growth of the
resident set in bytes a row, tables of fixed size included. Each case runs in a process of its own. The last line is
one JSON object.
"""

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain, islice
from pathlib import Path

from personastream import samples
from personastream.ports import Transform
from personastream.records import Batch, Shard
from personastream.transforms.dedup import Dedup
from personastream.transforms.near_dedup import NearDedup

SEED = 2026
MADE_ROWS = 8192
WORDS_MAX = 16
SHARD = Shard(0, "bench", "bench.jsonl", 0, "")


def texts() -> Iterator[str]:
    """An endless series of personas with copies among them."""
    for start in range(0, 1 << 40, MADE_ROWS):
        made = samples.personas(MADE_ROWS, SEED, start=start)
        for number, text in enumerate(text for text in made if len(text.split()) <= WORDS_MAX):
            yield text
            if number % 10 == 0:
                yield f"{text} indeed"
            if number % 20 == 0:
                yield text.upper()


def batches(rows: int, batch_rows: int) -> Iterator[Batch]:
    """`rows` rows as batches of one shard."""
    source = texts()
    for start in range(0, rows, batch_rows):
        part = list(islice(source, min(batch_rows, rows - start)))
        yield Batch(SHARD, start, start + len(part), range(start, start + len(part)), part)


def measure(make: Callable[[], Transform], rows: int, batch_rows: int) -> dict[str, float]:
    """CPU and memory a row, and the share of rows dropped."""
    source = batches(rows, batch_rows)
    first = next(source)
    before_bytes = resident_bytes()
    transform, cpu_ns, kept, words = make(), 0, 0, 0
    for batch in chain([first], source):
        start_ns = time.process_time_ns()
        kept += len(transform(batch).texts)
        cpu_ns += time.process_time_ns() - start_ns
        words += sum(len(text.split()) for text in batch.texts)
    return {
        "cpu_ns_per_row": round(cpu_ns / rows),
        "rss_bytes_per_row": round((resident_bytes() - before_bytes) / rows, 1),
        "dropped_share": round(1 - kept / rows, 4),
        "words_per_row": round(words / rows, 1),
    }


def resident_bytes() -> int:
    """Resident set size of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Run all cases and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000, 200_000, 1_000_000])
    parser.add_argument("--batch-rows", type=int, default=2048)
    parser.add_argument("--distance-max", type=int, default=3)
    options = parser.parse_args()
    cases: dict[str, Callable[[], Transform]] = {
        "dedup": Dedup,
        "near_dedup": partial(NearDedup, distance_max=options.distance_max),
    }
    found: dict[str, dict[int, dict[str, float]]] = {name: {} for name in cases}
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, max_tasks_per_child=1) as alone:
        for rows in options.rows:
            for name, make in cases.items():
                found[name][rows] = alone.submit(measure, make, rows, options.batch_rows).result()
                print(f"{name:10} {rows:>9,} rows: {found[name][rows]}", flush=True)
    print(json.dumps({"benchmark": "dedup", "batch_rows": options.batch_rows, **found}))


if __name__ == "__main__":
    main()
