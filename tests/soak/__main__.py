"""`make soak`: prints figures as JSON on the last line, and draws `soak.png`. Exit code 1 if anything is amiss."""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import orjson

from tests.soak.plan import Plan
from tests.soak.story import soak

SLOPE_MB_MAX = 1.0
DESCRIPTORS_IDLE_MAX = 40
TASKS_IDLE_MAX = 40


def complaints(figures: dict[str, Any]) -> list[str]:
    """What is not as it should be, whatever the machine."""
    found = [
        f"{job}: {count} rows {what}"
        for job, told in figures["jobs"].items()
        for what in ("lost", "doubled", "strange")
        if (count := told[what])
    ]
    found += [f"{job}: verify complains" for job, well in figures["verified"].items() if not well]
    found += [f"a drain ended with {code}" for code in figures["drained"] if code]
    for name, most in (("descriptors", DESCRIPTORS_IDLE_MAX), ("tasks", TASKS_IDLE_MAX)):
        if figures["idle"][name] > most:
            found.append(f"{figures['idle'][name]} {name} when idle")
    return found


def main() -> int:
    """Soak as long as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--in-flight", type=int, default=1200)
    parser.add_argument("--latency", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--picture", type=Path, default=Path("soak.png"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        plan = Plan(Path(folder), options.minutes, options.in_flight, options.latency, options.seed)
        figures = soak(plan, options.picture)
    found = complaints(figures)
    if figures["rss_slope_mb_per_million_rows"] > SLOPE_MB_MAX:
        found.append(f"memory grows by {figures['rss_slope_mb_per_million_rows']} MB per million rows")
    sys.stdout.write(orjson.dumps({**figures, "complaints": found}).decode() + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
