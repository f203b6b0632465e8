"""What it costs to ask for help: CPU time of `personastream --help`, and what it imports.

    python -m bench.startup [--rounds 15]

The heavy libraries must not be among the imports. The last line is one JSON object; times are seconds of CPU.
"""

import argparse
import re
import sys

from bench import processes
from bench.machine import report, say, spread

HEAVY = ("numba", "aiohttp", "numpy", "rich", "openai", "uvloop")
CPU_S_MAX = 0.3

_IMPORTED = re.compile(r"^import time:.*\| +(\w+)[\w.]*$", re.MULTILINE)


def imported(*words: str) -> set[str]:
    """The top-level packages that `personastream …` imports."""
    command = [sys.executable, "-X", "importtime", "-m", "personastream", *words]
    return set(_IMPORTED.findall(processes.run(command).stderr))


def main() -> None:
    """Measure, check the imports, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    processes.run(processes.personastream("--help"))  # compiles what was never imported before
    costs = {"help": processes.personastream("--help"), "bare_python": [sys.executable, "-c", "pass"]}
    taken: dict[str, list[float]] = {name: [] for name in costs}
    for number in range(options.rounds):
        for name, command in costs.items():
            taken[name].append(processes.run(command).cpu_s)
        say(f"round {number}: " + ", ".join(f"{name} {each[-1]:.3f} s" for name, each in taken.items()))
    heavy = sorted(imported("--help") & set(HEAVY))
    say(f"heavy imports: {', '.join(heavy) or 'none'}")
    figures = {f"{name}_cpu_s": spread(each, 3) for name, each in taken.items()}
    report("startup", {**figures, "heavy_imports": heavy, "targets": {"help_cpu_s_max": CPU_S_MAX}})


if __name__ == "__main__":
    main()
