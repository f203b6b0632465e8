"""Whether thousands of requests in flight keep a slow server busy, measured at the server.

    python -m bench.utilisation [--in-flight 2000] [--rounds 3] [--seconds 20]

A simulated server with lognormal latency of mean 1 s and sigma 0.3. Utilisation is arrivals a second times the mean
latency, divided by the requests allowed in flight, from 2.5 s after the first arrival until 97 % of the requests have
arrived (polled every 0.2 s). 1 is what Little's law allows. The last line is one JSON object.
"""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

from bench import processes
from bench.configuration import http, write_config
from bench.machine import report, say, spread
from bench.personas import write_shard
from bench.processes import SERVER_CORE

LATENCY_S = 1.0
SIGMA = 0.3
WARM_UP_S = 2.5
ARRIVED_SHARE = 0.97
POLL_S = 0.2
UTILISATION_MIN = 0.97


def one_run(shard: Path, rows: int, in_flight: int) -> tuple[float, float]:
    """(utilisation in the steady window, most requests seen in flight)."""
    simulate = processes.personastream(
        *("simulate", "--port", "0", "--latency", str(LATENCY_S), "--latency-sigma", str(SIGMA))
    )
    server = processes.start(simulate, core=SERVER_CORE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        base_url = server.stdout.readline().strip() if server.stdout else ""
        with tempfile.TemporaryDirectory(prefix="bench-utilisation-") as folder:
            config = write_config(Path(folder, "run.toml"), [shard], provider=http(base_url), in_flight=in_flight)
            command = processes.personastream("run", str(config), "--progress", "none")
            client = processes.start(command, core=0, stdout=subprocess.DEVNULL)
            seen = _poll(base_url, client)
            if client.wait() != 0:
                raise SystemExit("the run failed; its messages stand above")
    finally:
        server.terminate()
        server.wait()
    return _utilisation(seen, rows, in_flight), max(stats["in_flight_max"] for stats in seen)


def _poll(base_url: str, client: "subprocess.Popen[str]") -> list[dict[str, float]]:
    seen = []
    while client.poll() is None:
        seen.append(processes.stats(base_url))
        time.sleep(POLL_S)
    return seen


def _utilisation(seen: list[dict[str, float]], rows: int, in_flight: int) -> float:
    started = [stats for stats in seen if stats["arrivals"]]
    first_s = started[0]["first_arrival_s"]
    window = [s for s in started if s["now_s"] >= first_s + WARM_UP_S and s["arrivals"] <= ARRIVED_SHARE * rows]
    begin, end = window[0], window[-1]
    rate = (end["arrivals"] - begin["arrivals"]) / (end["now_s"] - begin["now_s"])
    return rate * LATENCY_S / in_flight


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--in-flight", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=20, help="length of a run at the ideal rate")
    options = parser.parse_args()
    rows = options.in_flight * options.seconds
    utilisation, most = [], []
    with tempfile.TemporaryDirectory(prefix="bench-utilisation-") as folder:
        shard = write_shard(Path(folder, "rows.jsonl.zst"), 0, rows)
        for number in range(options.rounds):
            share, seen = one_run(shard, rows, options.in_flight)
            utilisation.append(share)
            most.append(seen)
            say(f"round {number}: {share:.3f} of the ideal rate, {seen} in flight at most")
    figures = {
        "utilisation": spread(utilisation, 3),
        "in_flight_seen": max(most),
        "in_flight": options.in_flight,
        "rows": rows,
        "targets": {"utilisation_min": UTILISATION_MIN},
    }
    report("utilisation", figures)


if __name__ == "__main__":
    main()
