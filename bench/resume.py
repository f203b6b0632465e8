"""How long a resume takes to send its first request, after millions of rows.

    python -m bench.resume [--rows 5000000] [--shards 10] [--rounds 5] [--dir /tmp/bench-resume-5000000]

Once, and kept under --dir: a run over multi-frame shards, through the whole engine with dedup on, answered inside
the process, and killed by SIGKILL in its last shard with --rows rows settled. Then, for each round, on a copy of that
run: the time from the start of `personastream run --resume` to the first request that arrives at a real HTTP server
(`personastream simulate`). Files are in the page cache. "worst" is the same without the newest snapshot of the dedup
state, as if the kill had come just before it was taken: most rows have to be replayed then. The last line is one JSON
object; times are seconds.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from bench import processes
from bench.configuration import INSTANT, write_config
from bench.machine import report, say, spread
from bench.personas import write_shard
from bench.utilisation import simulator, stats

LAST_SHARD_SHARE = 0.5
"""The kill comes when so much of the last shard is done."""
IN_FLIGHT = 256
FIRST_REQUEST_S_MAX = 3.0
POLL_S = 0.02
SNAPSHOTS = "transforms-*.bin"


def build(folder: Path, rows: int, shard_count: int) -> None:
    """Make the input and the killed run in `folder`, unless they are there."""
    done = folder / "built.json"
    if done.exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    per_shard = -int(-rows // (shard_count - 1 + 0.9 * LAST_SHARD_SHARE))
    stems = [f"personas-{number:05d}" for number in range(shard_count)]
    for number, stem in enumerate(stems):
        write_shard(folder / f"{stem}.jsonl.zst", number * per_shard, (number + 1) * per_shard)
        say(f"wrote {stem}")
    shards = [folder / f"{stem}.jsonl.zst" for stem in stems]
    config = write_config(folder / "run.toml", shards, provider=INSTANT, in_flight=IN_FLIGHT, limits=False)
    client = processes.start(
        processes.personastream("run", str(config), "--progress", "none"), core=None, stdout=subprocess.DEVNULL
    )
    last, before = (folder / "run/data" / f"{stem}-00000.jsonl.zst" for stem in (stems[-1], stems[-2]))
    while not before.exists() or size_bytes(last.with_suffix(".zst.part")) < LAST_SHARD_SHARE * size_bytes(before):
        if client.poll() is not None:
            raise SystemExit(f"the run ended with {client.returncode} before it could be killed")
        time.sleep(POLL_S)
    client.kill()
    client.wait()
    settled = rows_settled(folder / "run")
    if settled < rows:
        raise SystemExit(f"only {settled} rows were settled when the run was killed")
    done.write_text(json.dumps({"settled": settled, "rows": per_shard * shard_count, "shards": shard_count}))
    say(f"killed the run with {settled} rows settled")


def size_bytes(path: Path) -> int:
    """A file's size, 0 if it is missing."""
    return path.stat().st_size if path.exists() else 0


def rows_settled(run: Path) -> int:
    """How many rows of a run have met an end."""
    status = json.loads(processes.run(processes.personastream("status", str(run), "--json")).stdout)
    return int(status["rows"]["settled"])


def first_request_s(folder: Path, *, worst: bool) -> tuple[float, float]:
    """(seconds, CPU seconds) from the start of a resume on a copy of the run to its first request."""
    copy = folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder / "run", copy)
    snapshots = sorted((copy / "state").glob(SNAPSHOTS))
    if worst and snapshots:
        snapshots[-1].unlink()
    with simulator() as base_url:
        settings = [f"sink.path={json.dumps(str(copy))}", f"provider.base_url={json.dumps(base_url)}"]
        words = [word for setting in settings for word in ("--set", setting)]
        command = processes.personastream("run", str(folder / "run.toml"), "--resume", "--progress", "none", *words)
        started_s = time.monotonic()
        client = processes.start(command, core=None, stdout=subprocess.DEVNULL)
        while not stats(base_url)["arrivals"]:
            if client.poll() is not None:
                raise SystemExit(f"the resume ended with {client.returncode} and sent nothing")
            time.sleep(POLL_S)
        cpu_s = cpu_seconds(client.pid)
        client.send_signal(signal.SIGKILL)
        client.wait()
        arrived_s: float = stats(base_url)["first_arrival_s"]  # on the same clock: CLOCK_MONOTONIC
    return arrived_s - started_s, cpu_s


def cpu_seconds(pid: int) -> float:
    """User and system CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Build what is missing, measure some rounds, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--shards", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dir", type=Path)
    options = parser.parse_args()
    folder = options.dir or Path("/tmp", f"bench-resume-{options.rows}")
    build(folder, options.rows, options.shards)
    rounds: dict[str, list[tuple[float, float]]] = {"as_killed": [], "worst": []}
    for number in range(options.rounds):
        for case, found in rounds.items():
            found.append(first_request_s(folder, worst=case == "worst"))
            say(f"round {number}, {case}: first request after {found[-1][0]:.2f} s, {found[-1][1]:.2f} s of CPU")
    shutil.rmtree(folder / "copy")
    cases = {
        case: {
            "first_request_s": spread([wall_s for wall_s, _ in found], 3),
            "cpu_s": spread([cpu_s for _, cpu_s in found], 3),
        }
        for case, found in rounds.items()
    }
    run = json.loads((folder / "built.json").read_text())
    report("resume", {**cases, "run": run, "targets": {"first_request_s_max": FIRST_REQUEST_S_MAX}})


if __name__ == "__main__":
    main()
