"""Runs the benchmarks and writes `bench/RESULTS.md`.

    python -m bench.run_all [--quick] [NAME …]

The JSON object of each goes to `bench/results/NAME.json`, and the table is made from what is there, so one of them
may be run again alone. `--quick` uses sizes that show whether everything works and say little of speed; its figures
go to a table of their own, `bench/results/QUICK.md`.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import dedup_tables, processes
from bench.machine import say
from bench.table import Row

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results"
HEADING = """# Benchmark results

Made by `make bench`. Figures are median [minimum–maximum]; how each is measured, the module says:
`python -m bench.NAME --help`. Load is the machine's, in the last minute: below 2 it was quiet.

| what | target | measured | command | load |
|---|---|---|---|---|"""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A module of this folder, its options for a quick look, and how to read its result."""

    name: str
    quick: str
    rows: Callable[[Mapping[str, Any]], list[Row]]


def shown(spread: Mapping[str, Any], unit: str = "") -> str:
    """`median [min–max]`."""
    return f"{spread['median']:g}{unit} [{spread['min']:g}–{spread['max']:g}]"


def engine_rows(result: Mapping[str, Any]) -> list[Row]:
    """Ratios and costs at each number of requests in flight."""
    rows = []
    for many, found in result["in_flight"].items():
        for name, ratio in found["to_floor"].items():
            target = f"≤ {result['targets']['to_floor_max']} ×" if name == "engine" else "–"
            rows.append(Row(f"{name}: CPU per row against the floor, {many} in flight", target, shown(ratio, " ×")))
        if found["sdk_to_engine"]:
            target = f"≥ {result['targets']['sdk_to_engine_min']:g} ×"
            rows.append(
                Row(f"AsyncOpenAI against the engine, {many} in flight", target, shown(found["sdk_to_engine"], " ×"))
            )
        costs = ", ".join(f"{name} {shown(cost)}" for name, cost in found["cpu_us_per_row"].items())
        rows.append(Row(f"CPU µs per row, {many} in flight", "–", costs))
    return rows


def wire_rows(result: Mapping[str, Any]) -> list[Row]:
    """One line."""
    what = f"one POST by ClientSession against one by Wire, {result['in_flight']} in flight"
    return [Row(what, "–", shown(result["session_to_wire"], " ×"))]


def utilisation_rows(result: Mapping[str, Any]) -> list[Row]:
    """One line."""
    what = f"share of the ideal rate, {result['in_flight']:,} in flight, 1 s latency"
    return [Row(what, f"≥ {result['targets']['utilisation_min']}", shown(result["utilisation"]))]


def memory_rows(result: Mapping[str, Any]) -> list[Row]:
    """The peak of the long run, and the growth."""
    sizes = list(result["peak_mb"]["dedup"])
    peak, growth = result["targets"]["peak_mb_max"], result["targets"]["growth_mb_max"]
    rows = [
        Row(
            f"peak memory, {int(size):,} rows, exact dedup",
            f"≤ {peak:g} MB",
            shown(result["peak_mb"]["dedup"][size], " MB"),
        )
        for size in sizes
    ]
    span = f"{int(sizes[0]):,} to {int(sizes[-1]):,} rows"
    without, with_index = shown(result["growth_mb"]["no_dedup"], " MB"), shown(result["growth_mb"]["dedup"], " MB")
    rows.append(Row(f"memory growth, {span}, without the dedup index", f"≤ {growth:g} MB", without))
    rows.append(Row(f"memory growth, {span}, with it", "–", with_index))
    return rows


def dashboard_rows(result: Mapping[str, Any]) -> list[Row]:
    """How soon the page shows something."""
    ms, letters = result["ms"], f"{result['dead']:,} dead letters"
    target = f"≤ {result['targets']['first_paint_ms_max']} ms"
    return [
        Row(f"dashboard with {letters}: first paint", target, shown(ms["first_paint"], " ms")),
        Row(f"dashboard with {letters}: 50 of them, from the click", "–", shown(ms["letters_shown"], " ms")),
    ]


def service_rows(result: Mapping[str, Any]) -> list[Row]:
    """The service beside the floor."""
    what = f"service, watched and scraped: CPU per row against the floor, {result['in_flight']} in flight"
    return [Row(what, f"≤ {result['targets']['to_floor_max']} ×", shown(result["to_floor"], " ×"))]


def sharing_rows(result: Mapping[str, Any]) -> list[Row]:
    """What two jobs get of one endpoint, and how soon changes are felt."""
    targets = result["targets"]
    slowest = max(result["felt_s"].values())
    return [
        Row(
            "two jobs of weights 3:1 at one full endpoint: ratio", f"{targets['ratio']:g} ± 10 %", f"{result['ratio']}"
        ),
        Row("live change of a ceiling: felt after, at most", f"≤ {targets['felt_s_max']:g} s", f"{slowest:g} s"),
        Row("two jobs that share against two apart: CPU per row", "–", shown(result["shared_to_apart"], " ×")),
    ]


def resume_rows(result: Mapping[str, Any]) -> list[Row]:
    """Time and CPU to the first request, as the kill came and at its worst moment."""
    after = f"resume after {result['run']['settled']:,} rows in {result['run']['shards']} shards"
    most = result["targets"]["first_request_s_max"]
    rows = []
    for case, words in (("as_killed", ""), ("worst", ", killed just before a snapshot")):
        found = result[case]
        cpu = f"{shown(found['first_request_s'], ' s')}, {found['cpu_s']['median']:g} s of CPU"
        rows.append(Row(f"{after}: first request{words}", f"≤ {most:g} s", cpu))
    return rows


def startup_rows(result: Mapping[str, Any]) -> list[Row]:
    """Time and imports."""
    heavy = ", ".join(result["heavy_imports"]) or "none"
    return [
        Row("`--help`: CPU", f"≤ {result['targets']['help_cpu_s_max']} s", shown(result["help_cpu_s"], " s")),
        Row("`--help`: heavy libraries imported", "none", heavy),
    ]


def parts_rows(result: Mapping[str, Any]) -> list[Row]:
    """The engine without a network, and what its parts cost."""
    parts = ", ".join(f"{name} {part['median']:g}" for name, part in result["part_us"].items())
    return [
        Row("engine alone, answered in the process: CPU µs per row", "–", shown(result["whole_us"])),
        Row("of these (near dedup: on top), CPU µs per row", "–", parts),
    ]


def pacing_rows(result: Mapping[str, Any]) -> list[Row]:
    """One line for each simulated world, all limiters in it."""
    rows = []
    for world, limiters in result["worlds"].items():
        figures = "; ".join(
            f"{name} {found['goodput']['median']:.1%}, {found['refused']['median']:.1%} refused, "
            f"latency {found['latency']['median']:.3g} ×"
            for name, found in limiters.items()
        )
        rows.append(Row(f"pacing, {world.replace('_', ' ')}: goodput of the ideal", "≥ 95 %, ≤ 3 %, ≤ 1.5 ×", figures))
    return rows


def simulator_rows(result: Mapping[str, Any]) -> list[Row]:
    """Requests per second of CPU time."""
    rate = result["plain"]["requests_per_cpu_s"]
    return [Row("simulator: requests per second of one core", "≥ 5,000", f"{rate:,}")]


def screen_rows(result: Mapping[str, Any]) -> list[Row]:
    """What the screen for personal data finds, and how fast it goes through rows."""
    kinds = ", ".join(f"{kind} {share:.2%}" for kind, share in result["recall_by_kind"].items())
    names = ("persona", "reply", "planted", "negative")
    speed = ", ".join(f"{name} {result[f'{name}_rows_per_s_core']:,}" for name in names)
    wrong = f"{result['false_positives_share']:.2%} of {result['negatives']:,} hard negatives"
    return [
        Row(
            f"personal data, {result['planted']:,} planted items: recall", "≥ 98 %", f"{result['recall']:.2%} ({kinds})"
        ),
        Row("personal data: false positives", "≤ 0.5 %", wrong),
        Row("personal data: rows per second of one core", "≥ 100,000 personas, replies", speed),
    ]


BENCHMARKS = (
    Benchmark("engine", "--rounds 1 --rows 2000 --near", engine_rows),
    Benchmark("parts", "--rounds 1 --rows 2000", parts_rows),
    Benchmark("wire", "--rounds 2 --requests 2000", wire_rows),
    Benchmark("utilisation", "--rounds 1 --rows 3000 --in-flight 200", utilisation_rows),
    Benchmark("memory", "--rows 1000 5000", memory_rows),
    Benchmark("service", "--rounds 1 --rows 2000", service_rows),
    Benchmark("sharing", "--rounds 1 --rows 2000 --seconds 3", sharing_rows),
    Benchmark("dashboard", "--dead 500 --rounds 2", dashboard_rows),
    Benchmark("resume", "--rounds 1 --rows 60000 --shards 3", resume_rows),
    Benchmark("pacing", "", pacing_rows),
    Benchmark("startup", "--rounds 3", startup_rows),
    Benchmark("simulator", "--rounds 1 --requests 5000", simulator_rows),
    Benchmark("screens", "--rounds 1 --texts 2000", screen_rows),
    Benchmark("kernels", "--rounds 1 --rows 5000", dedup_tables.kernel_rows),
    Benchmark("exact_index", "--rows 1000000", dedup_tables.exact_index_rows),
    Benchmark("near_dedup", "--rows 20000 --quality-rows 3000", dedup_tables.near_rows),
    Benchmark("near_scale", "--rows 300000", dedup_tables.scale_rows),
    Benchmark("semantic", "--rows 2000", dedup_tables.semantic_rows),
    Benchmark("dedup_job", "--rows 100000", dedup_tables.job_rows),
    Benchmark("decontaminate", "--rows 20000", dedup_tables.decontaminate_rows),
    Benchmark("dedup_peers", "--rounds 1 --rows 5000 --quality-rows 2000", dedup_tables.peer_rows),
)


def run(benchmark: Benchmark, folder: Path, options: str) -> None:
    """Run one and keep its last line."""
    command = processes.bench(benchmark.name, *options.split())
    say(f"--- {' '.join(command[1:])}")
    ended = subprocess.run(command, cwd=processes.ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"bench.{benchmark.name} ended with {ended.returncode}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{benchmark.name}.json").write_text(ended.stdout.splitlines()[-1] + "\n")


def table(folder: Path) -> str:
    """The results in `folder`, as Markdown."""
    lines, ending = [HEADING], ""
    for benchmark in BENCHMARKS:
        path = folder / f"{benchmark.name}.json"
        if not path.exists():
            continue
        result = json.loads(path.read_bytes())
        load = result["load_average"] if "load_average" in result else result["machine"]["load_1min"]
        tail = f"`python -m bench.{benchmark.name}` | {load:.1f}"
        lines += [f"| {row.what} | {row.target} | {row.measured} | {tail} |" for row in benchmark.rows(result)]
        if "machine" in result:
            ending = machine_words(result["machine"], result["date"])
    return "\n".join([*lines, "", ending]) + "\n"


def machine_words(machine: Mapping[str, Any], date: str) -> str:
    """On what and when the figures were measured."""
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    where = f"{machine['cores']} cores of {machine['cpu']}, Linux {machine['kernel']}, Python {machine['python']}"
    return f"{where}; {packages}. {date[:10]}."


def main() -> None:
    """Run the benchmarks named, or all, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(one.name for one in BENCHMARKS))
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    unknown = set(options.names) - {one.name for one in BENCHMARKS}
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    folder = RESULTS / "quick" if options.quick else RESULTS
    for benchmark in BENCHMARKS:
        if not options.names or benchmark.name in options.names:
            run(benchmark, folder, benchmark.quick if options.quick else "")
    target = RESULTS / "QUICK.md" if options.quick else FOLDER / "RESULTS.md"
    target.write_text(table(folder))
    sys.stdout.write(table(folder))


if __name__ == "__main__":
    main()
