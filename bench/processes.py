"""Running what is measured as a process of its own: pinned to a core, its CPU time and memory read from the kernel."""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
CLIENT_CORE = 0
SERVER_CORE = 1
POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Finished:
    """How a process ended: CPU seconds (user and system, children included), peak memory, what it printed."""

    exit_code: int
    cpu_s: float
    wall_s: float
    rss_peak_bytes: int
    stdout: str
    stderr: str


def personastream(*words: str) -> list[str]:
    """The command line `personastream …` of this interpreter's environment."""
    return [sys.executable, "-m", "personastream", *words]


def bench(name: str, *words: str) -> list[str]:
    """The command line `python -m bench.NAME …`."""
    return [sys.executable, "-m", f"bench.{name}", *words]


def run(command: Sequence[str], *, core: int | None = CLIENT_CORE, exit_code: int = 0) -> Finished:
    """Run a command to its end. Any other exit code than `exit_code` ends the benchmark with what it said."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        started_s = time.perf_counter()
        process = start(command, core=core, stdout=out, stderr=err)
        rss_peak_bytes = 0
        while True:
            rss_peak_bytes = max(rss_peak_bytes, rss_peak(process.pid))
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            time.sleep(POLL_S)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall_s = time.perf_counter() - started_s
        out.seek(0)
        err.seek(0)
        cpu_s = usage.ru_utime + usage.ru_stime
        ended = Finished(process.returncode, cpu_s, wall_s, rss_peak_bytes, out.read(), err.read())
    if ended.exit_code != exit_code:
        raise SystemExit(f"{' '.join(command)}\nended with {ended.exit_code}:\n{ended.stdout}\n{ended.stderr}")
    return ended


def start(
    command: Sequence[str], *, core: int | None, stdout: IO[str] | int, stderr: IO[str] | int | None = None
) -> subprocess.Popen[str]:
    """Start a command in the project's root, pinned to a core, with a key set so that every request carries one."""
    environment: Mapping[str, str] = {
        **os.environ,
        "OPENAI_API_KEY": "bench-key-0123456789",
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "",
    }
    pinned = ["taskset", "-c", str(core), *command] if core is not None else list(command)
    return subprocess.Popen(pinned, cwd=ROOT, env=environment, stdout=stdout, stderr=stderr, text=True)


def rss_peak(pid: int) -> int:
    """The most memory a process has held so far (VmHWM), in bytes; 0 once it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    return 0


def stats(base_url: str) -> dict[str, float]:
    """The counters of a simulator, given its base URL."""
    with urllib.request.urlopen(base_url.removesuffix("/v1") + "/stats") as answer:
        counters: dict[str, float] = json.load(answer)
        return counters
