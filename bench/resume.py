"""How long a resume takes until its first request, with millions of rows settled.

    python -m bench.resume [--rows 5000000] [--shards 10] [--rounds 3] [--dir /tmp/personastream-bench-resume]

Builds a run once, through the real engine with a provider that answers in the process, and kills it (SIGKILL) in its
last shard; the folder is kept for later calls. Each round continues a copy of the run with `--resume` against a real
HTTP server and takes the time from the start of the process to the first request's arrival. The last line is one
JSON object; times are seconds on the clock.
"""

import argparse
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from bench import processes
from bench.configuration import INSTANT, http, write_config
from bench.machine import report, say, spread
from bench.personas import write_shard
from bench.processes import SERVER_CORE
from personastream.launch.manifest import read_manifest
from personastream.sinks.frames import Frames

FIRST_REQUEST_S_MAX = 3.0
IN_FLIGHT = 256
POLL_S = 0.2


def build(folder: Path, rows: int, shards: int) -> Path:
    """A killed run in `folder`, made now unless it is there; returns its configuration."""
    config = folder / "build.toml"
    if (folder / "built").exists():
        return config
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    each = rows // (shards - 1)
    paths = [write_shard(folder / f"rows-{n:05d}.jsonl.zst", n * each, (n + 1) * each) for n in range(shards)]
    say(f"{shards} shards of {each:,} rows written")
    write_config(config, paths, provider=INSTANT, in_flight=IN_FLIGHT, limits=False)
    command = processes.personastream("run", str(config), "--progress", "plain")
    process = processes.start(command, core=None, stdout=subprocess.DEVNULL)
    while process.poll() is None and settled(folder / "run")[1] < rows:
        time.sleep(POLL_S * 10)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (folder / "built").touch()
    return config


def settled(run: Path) -> tuple[int, int]:
    """(finished shards, settled rows) of a run, read from its output."""
    manifest = read_manifest(run) if run.exists() else None
    if manifest is None:
        return 0, 0
    sink = Frames(path=str(run))
    sink.attach(manifest.run_id, [shard.stem for shard in manifest.shards])
    try:
        states = sink.recover(repair=False)
    except Exception:  # a part was renamed while it was looked at
        return 0, 0
    return sum(state.rows is not None for state in states), sum(state.counts.settled for state in states)


def first_request_s(folder: Path) -> float:
    """Seconds from starting `run --resume` on a copy of the run to the arrival of its first request."""
    simulate = processes.personastream("simulate", "--port", "0")
    server = processes.start(simulate, core=SERVER_CORE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        base_url = server.stdout.readline().strip() if server.stdout else ""
        with tempfile.TemporaryDirectory(prefix="resume-", dir=folder) as copy:
            shutil.copytree(folder / "run", Path(copy, "run"))
            paths = sorted(folder.glob("rows-*.jsonl.zst"))
            config = write_config(
                Path(copy, "resume.toml"),
                paths,
                provider=http(base_url),
                in_flight=IN_FLIGHT,
                limits=False,
            )
            return _time_to_first(config, base_url)
    finally:
        server.terminate()
        server.wait()


def _time_to_first(config: Path, base_url: str) -> float:
    command = processes.personastream("run", str(config), "--resume", "--progress", "none", "--max-rows", "1000")
    started_s = time.monotonic()
    client = processes.start(command, core=0, stdout=subprocess.DEVNULL)
    if client.wait() not in (0, 75):
        raise SystemExit("the resumed run failed; its messages stand above")
    return processes.stats(base_url)["first_arrival_s"] - started_s


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--shards", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir(), "personastream-bench-resume"))
    options = parser.parse_args()
    folder = options.dir / f"{options.rows}-{options.shards}"
    build(folder, options.rows, options.shards)
    finished, rows = settled(folder / "run")
    say(f"{rows:,} rows settled, {finished} of {options.shards} shards finished")
    times = [first_request_s(folder) for _ in range(options.rounds)]
    figures = {
        "first_request_s": spread(times, 2),
        "settled_rows": rows,
        "shards": options.shards,
        "targets": {"first_request_s_max": FIRST_REQUEST_S_MAX},
    }
    report("resume", figures)


if __name__ == "__main__":
    main()
