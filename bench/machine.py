"""What a figure means: the machine it was measured on, how busy that was, and how several figures become one."""

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "personastream",
    "aiohttp",
    "anyio",
    "numba",
    "numpy",
    "openai",
    "orjson",
    "uvloop",
    "zstandard",
)


def machine() -> dict[str, Any]:
    """Processor, cores, Python and package versions, and the load of the last minute."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name)) is not None},
        "load_1min": round(os.getloadavg()[0], 2),
    }


def spread(values: Sequence[float], digits: int = 2) -> dict[str, Any]:
    """Median, minimum and maximum, and how many values there were."""
    return {
        "median": round(statistics.median(values), digits),
        "min": round(min(values), digits),
        "max": round(max(values), digits),
        "rounds": len(values),
    }


def report(benchmark: str, figures: Mapping[str, Any]) -> None:
    """Print the result as one JSON object, the last line on stdout."""
    result = {
        "benchmark": benchmark,
        **figures,
        "machine": machine(),
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    print(json.dumps(result), flush=True)


def say(text: str) -> None:
    """Progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


def softirq_shares() -> list[float]:
    """Seconds of network and other deferred kernel work so far, by core: it is charged to nobody."""
    ticks_per_s = os.sysconf("SC_CLK_TCK")
    lines = Path("/proc/stat").read_text().splitlines()
    return [int(line.split()[7]) / ticks_per_s for line in lines if line.startswith("cpu") and line[3].isdigit()]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def resident_bytes() -> int:
    """Resident set size of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def resident_peak_bytes() -> int:
    """The largest resident set size of this process so far: not of its parent too, as `getrusage` would tell."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10
