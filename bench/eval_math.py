"""How well `personastream eval math` measures: a model that is right on a known share of MATH-500 and of GSM8K.

Prints JSON: the true and the reported accuracy, which must be within half a point, and how fast replies are graded.
`python -m bench.eval_math ../shared/data/math/math500.jsonl.zst ../shared/data/math/gsm8k-test.jsonl.zst`
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson
import zstandard

from bench.answer_forms import Scripted, scripted
from bench.processes import personastream, run
from bench.utilisation import simulator
from personastream.sandbox.comparisons import Comparisons

SHARE = 0.65
POINTS = 0.005


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a `.jsonl.zst`."""
    with path.open("rb") as file:
        data = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read()
    return [orjson.loads(line) for line in data.split(b"\n") if line]


def evaluated(data: Path, folder: Path, share: float = SHARE) -> dict[str, Any]:
    """What `eval math` reports of the scripted model, beside what is true of it."""
    script = scripted(read_rows(data), share)
    replies = write_replies(folder / f"{data.stem}-replies.jsonl", script)
    with simulator("--replies", str(replies)) as base_url:
        words = ["eval", "math", "--data", str(data), "--provider-url", base_url, "--model", "scripted"]
        words += ["--run", str(folder / f"run-{data.stem}"), "--json", "--progress", "none"]
        done = run(personastream(*words), core=None)
    reported = json.loads(done.stdout)
    true = sum(each.right for each in script) / len(script)
    return {
        "problems": len(script),
        "true_accuracy": true,
        "reported_accuracy": reported["accuracy"],
        "low": reported["low"],
        "high": reported["high"],
        "within_half_a_point": abs(reported["accuracy"] - true) <= POINTS,
        "problems_per_s": len(script) / done.wall_s,
        "by": {column: len(values) for column, values in reported["by"].items()},
    }


def write_replies(path: Path, script: list[Scripted]) -> Path:
    """What the simulator takes as `--replies`."""
    path.write_bytes(b"".join(orjson.dumps({"text": each.problem, "reply": each.reply}) + b"\n" for each in script))
    return path


def algebra_pairs_per_s(pairs: int = 300) -> float:
    """How many pairs of answers that need algebra one confined interpreter compares."""
    comparisons = Comparisons()
    comparisons.compare_here("$x$", "$x$")
    started_s = time.perf_counter()
    for number in range(2, pairs + 2):
        assert comparisons.compare_here(f"${number}\\sqrt{{3}}$", f"$\\sqrt{{{3 * number * number}}}$") == "equal"
    seconds = time.perf_counter() - started_s
    comparisons.close()
    return pairs / seconds


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        figures = {path.name: evaluated(path, Path(folder)) for path in map(Path, sys.argv[1:])}
    print(json.dumps({"benchmarks": figures, "algebra_pairs_per_s": algebra_pairs_per_s()}, indent=2))


if __name__ == "__main__":
    main()
