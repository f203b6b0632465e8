"""The math loop on real personas: problems, then solutions that are checked against one another, with a simulator.

Prints every number of the procedure as JSON; they must add up, and no wrong answer may be among those that agree.
`python -m bench.math_loop ../shared/data/personas/shards/personahub-00000.jsonl.zst [--personas 1000]`
"""

import argparse
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import orjson

from bench.eval_math import read_rows
from bench.processes import personastream, run
from bench.utilisation import simulator
from personastream.core.answers import quick_verdict
from personastream.core.math_figures import math_figures
from personastream.launch.run_records import dead_of, records_of
from personastream.simulator.mathematics import true_answer

SOURCES = {
    "problems": 'paths = ["{path}"]',
    "solutions": 'type = "run"\npaths = ["{path}"]\nfield = "synthesized text"',
}
RECIPES = {
    "problems": 'template = "math"',
    "solutions": 'type = "solve"\nheld_out_share = {share}\nseed = 1\nsolutions = ["chain_of_thought @ first", '
    '"program_of_thought @ first", "chain_of_thought @ second"]\ntrain_solutions = ["chain_of_thought @ first"]',
}
PROVIDER = '[[provider]]\nname = "{name}"\nbase_url = "{url}"\nmodel = "{name}"\nin_flight_max = 32\n'


def loop(personas: Path, rows: int, share: float, folder: Path, wrong: float = 0.2) -> dict[str, Any]:
    """Problems for the first `rows` personas, then their solutions; the figures of the latter."""
    shard = folder / "personas.jsonl"
    shard.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in read_rows(personas)[:rows]))
    with simulator("--wrong-solutions", str(wrong)) as url:
        problems = _run("problems", shard, folder, url, share)
        solutions = _run("solutions", problems, folder, url, share)
    figures = math_figures(records_of(solutions), dead_of(solutions))
    return {"generated": sum(1 for _ in records_of(problems)), **figures, **_checked(solutions, figures)}


def _run(name: str, source: Path, folder: Path, url: str, share: float) -> Path:
    config, directory = folder / f"{name}.toml", folder / name
    providers = "\n".join(PROVIDER.format(name=each, url=url) for each in ("first", "second"))
    source_text, recipe = SOURCES[name].format(path=source), RECIPES[name].format(share=share)
    config.write_text(f'[source]\n{source_text}\n\n[recipe]\n{recipe}\n\n{providers}\n[sink]\npath = "{directory}"\n')
    run(personastream("run", str(config), "--progress", "none"), core=None)
    return directory


def _checked(solutions: Path, figures: dict[str, Any]) -> dict[str, Any]:
    """What must hold of the figures and of each agreed answer: the simulator's problems have a true one."""
    verdicts = Counter(
        quick_verdict(record["answer"], str(true_answer(record["problem"])))
        for record in records_of(solutions)
        if record["agreed"]
    )
    sums = {
        "problems = train + held_out + dead": figures["problems"]
        == figures["train"] + figures["held_out"] + sum(figures["dead"].values()),
        "held_out = agreed + not_agreed": figures["held_out"] == figures["agreed"] + figures["not_agreed"],
        "asked = answered + problems": all(
            each["asked"] == each["answered"] + sum(each["problems"].values()) for each in figures["methods"].values()
        ),
    }
    return {"adds_up": sums, "agreed_answers": dict(verdicts)}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("personas", type=Path)
    parser.add_argument("--personas", dest="rows", type=int, default=1000)
    parser.add_argument("--held-out-share", type=float, default=0.3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(
            json.dumps(loop(options.personas.absolute(), options.rows, options.held_out_share, Path(folder)), indent=2)
        )


if __name__ == "__main__":
    main()
