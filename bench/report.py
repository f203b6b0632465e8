"""How long a report takes: of run directories with so many rows, written by the real sink.

python -m bench.report [--rows 5000 --rows 1000000]
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import orjson

from bench import processes
from bench.machine import report, say, spread
from personastream.core.outcomes import Outcomes, Usage
from personastream.launch.manifest import Manifest, write_manifest
from personastream.ports import Chunk
from personastream.records import Shard
from personastream.samples import personas
from personastream.sinks.frames import Frames

RUN_ID = "be" * 16
COMMIT_ROWS = 1500
ROWS_PER_S = 500
WORDS = 90


def main() -> None:
    """Write each run, report on it, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, action="append", help="rows of a run; may be repeated")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    figures = {}
    for rows in options.rows or [5_000, 1_000_000]:
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            write_run(run, rows)
            command = processes.personastream("report", str(run))
            processes.run(command)  # compiles what is in no cache yet
            taken = [processes.run(command) for _ in range(options.rounds)]
            figures[f"rows_{rows}"] = {
                "cpu_s": spread([each.cpu_s for each in taken], 1),
                "wall_s": spread([each.wall_s for each in taken], 1),
                "run_bytes": sum(path.stat().st_size for path in (run / "data").iterdir()),
                "page_bytes": (run / "report.html").stat().st_size,
            }
            say(f"{rows:,} rows: {figures[f'rows_{rows}']}")
    report("report", figures)


def write_run(directory: Path, rows: int) -> None:
    """A finished run of one shard."""
    directory.mkdir()
    shard = Shard(0, "personas", "personas.jsonl", 1, "x")
    write_manifest(directory, Manifest(RUN_ID, "2026-01-01T00:00:00+00:00", "bench", "bench.toml", {}, [shard]))
    sink = Frames(path=str(directory))
    sink.attach(RUN_ID, [shard.stem])
    sink.recover()
    lines = _lines(rows)
    for start in range(0, rows, COMMIT_ROWS):
        stop = min(start + COMMIT_ROWS, rows)
        chosen = [next(lines) for _ in range(start, stop)]
        usage = Usage(stop - start, 200 * (stop - start), 150 * (stop - start))
        sink.commit(Chunk(0, "data", chosen, Outcomes([(start, stop)]), usage))
    sink.finish(0, rows)


def _lines(rows: int) -> Iterator[bytes]:
    random = Random(1)
    words = [word for text in personas(2_000, 1) for word in text.split()]
    people = list(personas(20_000, 2))
    for number in range(rows):
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_767_225_600 + number / ROWS_PER_S))
        start = random.randrange(len(words) - WORDS)
        text = " ".join([*words[start : start + WORDS // 2], *random.sample(words, WORDS // 2)])
        usage = {"input_tokens": 200, "output_tokens": 150}
        meta = {"template": "math@1", "model": "bench", "finish_reason": "stop", "usage": usage, "created": at}
        yield orjson.dumps(
            {
                "id": f"personas:{number}",
                "input persona": people[number % len(people)],
                "synthesized text": f"Math problem: {text}",
                "description": "math problem",
                "synthetic": True,
                "meta": meta,
            }
        )


if __name__ == "__main__":
    main()
