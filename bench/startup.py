"""What `personastream --help` costs, and what it does not import.

    python -m bench.startup [--rounds 10]

The last line is one JSON object; times are seconds of CPU.
"""

import argparse
import json
import subprocess
import sys

from bench import processes
from bench.machine import report, spread

CPU_S_MAX = 0.3
HEAVY = ("aiohttp", "aiolimiter", "anyio", "numba", "numpy", "rich", "uvloop", "zstandard")
LIST_IMPORTS = """
import json, sys
sys.argv = ["personastream", "--help"]
from personastream.cli import main
try:
    main()
except SystemExit:
    print(json.dumps(sorted(sys.modules)))
"""


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    command = processes.personastream("--help")
    processes.run(command)
    costs = [processes.run(command).cpu_s for _ in range(options.rounds)]
    printed = subprocess.run([sys.executable, "-c", LIST_IMPORTS], capture_output=True, text=True, check=True).stdout
    modules = set(json.loads(printed.splitlines()[-1]))
    imported = [name for name in HEAVY if name in modules]
    report("startup", {"cpu_s": spread(costs, 3), "heavy_imports": imported, "targets": {"cpu_s_max": CPU_S_MAX}})


if __name__ == "__main__":
    main()
