"""Sources and exports: rows a second of CPU, and how little memory they need.

    python -m bench.export [--rows 300000] [--rounds 3]

Rows have a persona of about 90 bytes, a number, a label and an id; records a conversation of some 700 bytes. Each
figure is that of a process of its own, the best of several rounds; `grown_mb` is what the work adds to its memory,
and `grown_double_mb` what it adds for twice the rows. The last line is one JSON object.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import zstandard

from bench.machine import report, resident_peak_bytes, say
from bench.source import persona_lines
from personastream.core.outcomes import Outcomes, Usage
from personastream.export.destination import Destination
from personastream.export.format import load_format
from personastream.export.job import Export
from personastream.export.run_log import RunLog
from personastream.ports import Chunk
from personastream.sinks.disk import OsDisk
from personastream.sinks.frames import Frames
from personastream.sources.jsonl import Jsonl
from personastream.sources.parquet import Parquet

WHERE = 'age >= 30 and occupation in ["nurse", "judge"]'
SETTINGS: Mapping[str, dict[str, Any]] = {
    "all": {},
    "keep": {"keep": ["uuid"]},
    "where": {"where": WHERE},
    "where_pattern": {"where": 'persona matches "nurse|baker"'},
    "sample": {"sample": 0.01},
}
FORMATS = ("jsonl", "openai_chat", "tulu_sft", "persona_hub", "parquet")
FRAME_ROWS = 2_000


def columns(rows: int) -> Iterator[dict[str, Any]]:
    """Rows of a data set with columns."""
    for number, line in enumerate(persona_lines(rows)):
        more = {
            "uuid": f"{number:032x}",
            "age": 18 + number % 80,
            "occupation": ("nurse", "baker", "judge")[number % 3],
        }
        yield {**orjson.loads(line), **more}


def write_input(folder: Path, rows: int) -> None:
    """The same rows as plain lines, as lines with columns, and as Parquet."""
    import pyarrow
    from pyarrow.parquet import write_table

    found, compressor = list(columns(rows)), zstandard.ZstdCompressor(level=3)
    for name, made in (("plain", [{"persona": row["persona"]} for row in found]), ("columns", found)):
        pieces = (made[at : at + FRAME_ROWS] for at in range(0, rows, FRAME_ROWS))
        frames = (compressor.compress(b"".join(orjson.dumps(row) + b"\n" for row in piece)) for piece in pieces)
        (folder / f"{name}.jsonl.zst").write_bytes(b"".join(frames))
    write_table(pyarrow.Table.from_pylist(found), folder / "columns.parquet", row_group_size=100_000)


def write_run(folder: Path, rows: int) -> None:
    """A run of one shard, with conversations."""
    sink = Frames(path=str(folder))
    sink.attach("bench", ["shard"])
    sink.recover()
    words = "That depends on how many there are, and on what each of them has brought along this time. "
    usage = {"input_tokens": 210, "output_tokens": 384}
    for start in range(0, rows, FRAME_ROWS):
        numbers = range(start, min(rows, start + FRAME_ROWS))
        lines = [
            orjson.dumps(
                {
                    "id": f"shard:{number}",
                    "input persona": f"A baker from Turin ({number})",
                    "synthesized text": f"How many loaves does number {number} need?",
                    "description": "math problem",
                    "synthetic": True,
                    "messages": [
                        {"role": "user", "content": f"How many loaves does number {number} need?"},
                        {"role": "assistant", "content": words * 4},
                    ],
                    "meta": {"template": "math@1", "model": "bench", "usage": usage, "created": "2026-01-01T00:00:00Z"},
                }
            )
            for number in numbers
        ]
        sink.commit(Chunk(0, "data", lines, Outcomes([(start, numbers.stop)]), Usage()))
    sink.finish(0, rows)


def read(folder: Path, name: str, settings: str) -> int:
    """Read one file to its end; the number of rows that there were."""
    kind = Parquet if name.endswith(".parquet") else Jsonl
    source = kind([str(folder / name)], **SETTINGS[settings])
    (shard,) = source.shards()
    return max(batch.stop for batch in source.read(shard, 0))


def export(folder: Path, name: str) -> int:
    """Export a run to a folder that is then thrown away; the number of rows written."""
    form = load_format(name)
    with tempfile.TemporaryDirectory(dir=folder) as out:
        log = RunLog(OsDisk(str(folder / "run")), "bench", ["shard"])
        job = Export(log, name, form, Destination(Path(out, "out")), form.files[0])
        job.run({}, replace=False)
    return job.rows


WORK: Mapping[str, Callable[..., int]] = {"read": read, "export": export}


def one(folder: str, work: str, *arguments: str) -> None:
    """What the child process does: work once, and tell what it took."""
    before, began_s = resident_peak_bytes(), time.process_time()
    rows = WORK[work](Path(folder), *arguments)
    cpu_s = time.process_time() - began_s
    print(json.dumps({"rows_per_cpu_s": rows / cpu_s, "grown_mb": (resident_peak_bytes() - before) / (1 << 20)}))


def measured(folder: Path, rounds: int, *arguments: str) -> dict[str, int]:
    """The best rate and the least growth of several rounds."""
    command = [sys.executable, "-m", "bench.export", "--child", str(folder), *arguments]
    found = [
        json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(rounds)
    ]
    rate = max(each["rows_per_cpu_s"] for each in found)
    return {"rows_per_cpu_s": round(rate), "grown_mb": round(min(each["grown_mb"] for each in found))}


def main() -> None:
    """Measure and print the figures."""
    if sys.argv[1:2] == ["--child"]:
        one(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    jobs: dict[str, tuple[str, ...]] = {"jsonl plain all": ("read", "plain.jsonl.zst", "all")}
    for name in ("columns.jsonl.zst", "columns.parquet"):
        kind = name.rpartition(".")[2].replace("zst", "jsonl")
        jobs |= {f"{kind} {settings}": ("read", name, settings) for settings in SETTINGS}
    jobs |= {f"export {name}": ("export", name) for name in FORMATS}
    figures: dict[str, dict[str, int]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-export-") as temporary:
        folders = {factor: Path(temporary, str(factor)) for factor in (1, 2)}
        for factor, folder in folders.items():
            folder.mkdir()
            write_input(folder, factor * options.rows)
            write_run(folder / "run", factor * options.rows)
        for job, arguments in jobs.items():
            figures[job] = measured(folders[1], options.rounds, *arguments)
            figures[job]["grown_double_mb"] = measured(folders[2], 1, *arguments)["grown_mb"]
            say(f"{job:24} {figures[job]}")
    report("export", {"rows": options.rows, "rounds": options.rounds, "figures": figures})


if __name__ == "__main__":
    main()
