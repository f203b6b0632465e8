"""Every use case in every prompting mode, on real personas, through the simulator; each delivered record looked at.

    python -m bench.use_cases [--rows 500] [--personas FILE] [--off-contract 0.02] [--near-contract 0.03]
                              [--only NAME …]

A run each, with `personastream run`, against one `personastream simulate` that breaks contracts now and then; a second
run in which it does so always shows that rows die of it, with the reason. The last line is one JSON object: per use
case and mode, the rows that were delivered and that died, by reason; how many delivered records keep their contract, as
seen by checks that share no code with the recipes; how many requests were asked, and how many of them again.
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from bench.machine import report, say
from tests.support.command import personastream
from tests.support.outputs import read_records
from tests.support.simulated import Simulated, simulated
from tests.support.use_cases import CASES, USE_CASES, UseCase
from tests.support.workspace import write_config, write_shard

PERSONAS = Path(__file__).parents[2] / "shared/data/personas/personahub-5k.jsonl.zst"
TOOLS = "tool_code"  # reads what `tool` has made


def main() -> None:
    """Measure and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--personas", type=Path, default=PERSONAS)
    parser.add_argument("--off-contract", type=float, default=0.02)
    parser.add_argument("--near-contract", type=float, default=0.03)
    parser.add_argument("--only", nargs="*", default=[])
    options = parser.parse_args()
    rates = {"off-contract": options.off_contract, "near-contract": options.near_contract}
    names = [case for case in CASES if not options.only or case[0] in options.only]
    with tempfile.TemporaryDirectory() as folder, simulated(*faults(rates)) as simulator:
        figures = table(Path(folder), simulator, options.personas, options.rows, names)
        simulator.change(faults={"near-contract": 1.0})
        figures["always broken"] = look(Path(folder) / "broken", simulator, options.personas, 20, "math", "zero_shot")
    report("use_cases", figures)


def faults(rates: dict[str, float]) -> list[str]:
    """Options of the simulator."""
    return [word for name, rate in rates.items() for word in ("--fault", f"{name}={rate}")]


def table(
    folder: Path, simulator: Simulated, personas: Path, rows: int, cases: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    """What came of each use case and mode."""
    figures: dict[str, Any] = {}
    for name, mode in cases:
        source = personas
        if USE_CASES[name].of_texts:
            source = made_tools(folder / "tools", simulator, personas, rows)
        figures[f"{name} {mode}"] = found = look(folder / f"{name}-{mode}", simulator, source, rows, name, mode)
        say(f"{name:20}{mode:18}{orjson.dumps(found).decode()}")
    records = [one for one in figures.values() if isinstance(one, dict)]
    figures["delivered"] = sum(one["delivered"] for one in records)
    figures["keep_their_contract_share"] = sum(one["keep"] for one in records) / max(1, figures["delivered"])
    return figures


def look(folder: Path, simulator: Simulated, source: Path, rows: int, name: str, mode: str) -> dict[str, Any]:
    """Run one, and look at what it has delivered."""
    case, before = USE_CASES[name], simulator.stats()
    records = run(folder, simulator, source, rows, case, mode)
    dead = Counter(letter["reason"] for letter in read_records(folder / "run" / "dead", open_parts=True))
    asked = simulator.stats()["arrivals"] - before["arrivals"]
    return {
        "delivered": len(records),
        "dead": dict(dead),
        "keep": sum(map(case.keeps, records)),
        "different": len({record["synthesized text"] for record in records}),
        "requests": asked,
        "shown": dict(Counter(record["meta"].get("demonstrations", "none") for record in records).most_common(8)),
    }


def run(folder: Path, simulator: Simulated, source: Path, rows: int, case: UseCase, mode: str) -> list[dict[str, Any]]:
    """The records of a run over the first rows of a source."""
    config = write_config(
        folder / "job.toml",
        simulator.base_url,
        source={"paths": [str(source)], "field": "synthesized text" if case.of_texts else "persona"},
        recipe={"reasks_max": 3, **case.settings(mode)},
        provider={"in_flight_max": 64},
        limits={"dead_share_max": 1.0},
    )
    done = personastream("run", config, "--max-rows", str(rows), "--progress", "none")
    if done.code not in (0, 75):
        raise SystemExit(done.err)
    return read_records(folder / "run" / "data", open_parts=True)


def made_tools(folder: Path, simulator: Simulated, personas: Path, rows: int) -> Path:
    """A shard of interfaces, made once."""
    shard = folder / "tools.jsonl"
    if not shard.exists():
        records = run(folder / "made", simulator, personas, rows + rows // 10, USE_CASES["tool"], "zero_shot")
        write_shard(shard, map(orjson.dumps, records))
    return shard


if __name__ == "__main__":
    main()
