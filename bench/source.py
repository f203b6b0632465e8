"""How fast rows are read: from row 0, and from 90 % of a shard with and without the index of an earlier pass.

    python bench/source.py [--rows 1000000] [--rounds 5]

Personas of about 90 bytes, made here from a seed; the best round counts. Rates are rows per second of CPU time, as
one core gives them also where others take turns; a resume's time is on the clock, up to its first batch. The last
line is one JSON object.
"""

import argparse
import gzip
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import zstandard

from personastream.sources.jsonl import Jsonl

ROLES = ("nurse", "baker", "pilot", "farmer", "judge", "potter", "tailor", "sailor", "miner", "teacher", "cook")
TRAITS = ("patient", "curious", "restless", "careful", "cheerful", "stubborn", "shy", "precise", "forgetful")
PLACES = ("Lima", "Oslo", "Accra", "Hanoi", "Perth", "Quito", "Izmir", "Turin", "Osaka", "Dakar", "Leeds", "Pune")
HABITS = (
    "who keeps bees on the roof and sells the honey",
    "who draws maps of places that do not exist yet",
    "who mends radios for the neighbours at weekends",
    "who is learning to play the cello in the evening",
)


def persona_lines(rows: int) -> list[bytes]:
    """JSON lines without the line feed."""
    draw = random.Random(7)
    return [
        json.dumps(
            {
                "persona": f"A {draw.choice(TRAITS)} {draw.choice(ROLES)} from {draw.choice(PLACES)}, aged "
                f"{draw.randrange(18, 99)}, {draw.choice(HABITS)} ({number})"
            }
        ).encode()
        for number in range(rows)
    ]


def write_shards(folder: Path, rows: int) -> dict[str, Path]:
    """One shard of each kind, all with the same rows."""
    lines = persona_lines(rows)
    raw = b"".join(line + b"\n" for line in lines)
    compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)
    frame_bytes = 2 << 20
    frames = (compressor.compress(raw[start : start + frame_bytes]) for start in range(0, len(raw), frame_bytes))
    content = {
        "plain.jsonl": raw,
        "many_frames.jsonl.zst": b"".join(frames),
        "one_frame.jsonl.zst": compressor.compress(raw),
        "gzip.jsonl.gz": gzip.compress(raw, 6),
    }
    for name, data in content.items():
        (folder / name).write_bytes(data)
    return {name.partition(".")[0]: folder / name for name in content}


def best(rounds: int, measure: Callable[[], float]) -> float:
    """The shortest of several measurements."""
    return min(measure() for _ in range(rounds))


def measure(path: Path, rows: int, rounds: int, index_dir: Path) -> dict[str, float]:
    """Rows per CPU second from row 0, and seconds to the first batch at 90 %."""
    indexed, plain = Jsonl([str(path)], index_dir=str(index_dir)), Jsonl([str(path)])
    (shard,) = indexed.shards()

    def whole() -> float:
        began = time.process_time()
        assert sum(len(batch.texts) for batch in indexed.read(shard, 0)) == rows
        return time.process_time() - began

    def resume(source: Jsonl) -> float:
        began = time.perf_counter()
        assert next(iter(source.read(shard, rows * 9 // 10))).start == rows * 9 // 10
        return time.perf_counter() - began

    return {
        "rows_per_cpu_s": round(rows / best(rounds, whole)),
        "resume_indexed_s": round(best(rounds, lambda: resume(indexed)), 4),
        "resume_unindexed_s": round(best(rounds, lambda: resume(plain)), 4),
    }


def main() -> None:
    """Measure every kind of shard and print the figures."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=5)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shards = write_shards(Path(folder), options.rows)
        index_dir = Path(folder, "state")
        figures = {
            kind: measure(path, options.rows, options.rounds, index_dir) | {"file_bytes": path.stat().st_size}
            for kind, path in shards.items()
        }
    for kind, one in figures.items():
        print(
            f"{kind:12} {one['rows_per_cpu_s'] / 1e6:5.2f} M rows/CPU s, 90 %: {one['resume_indexed_s'] * 1e3:7.1f} ms"
        )
    print(json.dumps({"bench": "source", "rows": options.rows, "rounds": options.rounds, **figures}))


if __name__ == "__main__":
    main()
