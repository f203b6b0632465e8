"""What a stage costs beside a run over files: the same rows, asked for in the same way, read from an earlier run.

    python -m bench.stages [--rounds 5] [--rows 40000] [--in-flight 64]

The provider answers at once, in this process, so that nothing but the engine's own work is measured; with requests
over a network the ratio is lower. A row's cost is the difference between two sizes; both kinds take turns. The last
line is one JSON object; figures are microseconds of CPU per row, of all threads.
"""

import argparse
import gc
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from bench.configuration import INSTANT, write_config
from bench.machine import report, say, spread
from bench.personas import write_shard
from personastream.config import load
from personastream.launch.inline import run_config
from personastream.observe.progress import Display

SMALL_ROWS = 2_000


def asked(folder: Path, path: Path, *settings: str) -> float:
    """CPU seconds of one run in this process."""
    config = load(str(path), [f"sink.path={folder}", *settings])
    gc.collect()
    before_s = time.process_time()
    run_config(config, resume=False, progress=Display("none", folder))
    return time.process_time() - before_s


def from_run(earlier: Path) -> list[str]:
    """Settings that read the rows of an earlier run, with their lineage, instead of files."""
    return ["source.type=run", f"source.paths={json.dumps([str(earlier)])}", "source.field=input persona"]


def costs(folder: Path, rounds: int, rows: int, in_flight: int) -> dict[str, list[float]]:
    """Microseconds per row of both kinds, round by round."""
    sizes = (SMALL_ROWS, SMALL_ROWS + rows)
    paths, earlier = {}, {}
    for size in sizes:
        shard = write_shard(folder / f"rows-{size}.jsonl.zst", 0, size)
        paths[size] = write_config(folder / f"{size}.toml", [shard], provider=INSTANT, in_flight=in_flight)
        earlier[size] = folder / f"earlier-{size}"
        asked(earlier[size], paths[size])
    found: dict[str, list[float]] = {"files": [], "stage": []}
    for number in range(rounds):
        for kind, each in found.items():
            taken_s = []
            for size in sizes:
                settings = from_run(earlier[size]) if kind == "stage" else []
                with tempfile.TemporaryDirectory(dir=folder) as out:
                    taken_s.append(asked(Path(out, "run"), paths[size], *settings))
            each.append((taken_s[1] - taken_s[0]) / rows * 1e6)
        say(f"round {number}: " + ", ".join(f"{kind} {each[-1]:.1f}" for kind, each in found.items()))
    return found


def figures(found: Mapping[str, list[float]]) -> dict[str, object]:
    """What goes into the JSON object."""
    pairs = list(zip(found["stage"], found["files"], strict=True))
    return {
        **{f"{kind}_us": spread(each) for kind, each in found.items()},
        "added_us": spread([stage - files for stage, files in pairs]),
        "ratio": spread([stage / files for stage, files in pairs]),
    }


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--in-flight", type=int, default=64)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-stages-") as folder:
        found = costs(Path(folder), options.rounds, options.rows, options.in_flight)
    report("stages", {"rows": options.rows, "in_flight": options.in_flight, **figures(found)})


if __name__ == "__main__":
    main()
