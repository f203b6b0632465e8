"""How busy the engine keeps a slow server: many requests in flight against one that takes a second for each.

    python -m bench.utilisation [--in-flight 2000] [--rows 60000] [--rounds 3] [--pacing adaptive]

`personastream run` asks `personastream simulate` (lognormal latency, mean 1 s, sigma 0.3), which counts arrivals.
Utilisation is arrivals per second times mean latency divided by the limit on requests in flight: 1 is the rate that
nothing can exceed. It is taken at the server, from 2.5 s after 95 % of the limit was first in flight until 97 % of
all have arrived, so neither start nor end counts; `ramp_s` is how long concurrency took to be found.
Client on core 0, server on core 1. The last line is one JSON object.
"""

import argparse
import json
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import processes
from bench.configuration import http, write_config
from bench.machine import report, say, spread
from bench.personas import write_shard
from bench.processes import CLIENT_CORE, SERVER_CORE

LATENCY_S = 1.0
SIGMA = 0.3
RAMPED_SHARE = 0.95
SETTLED_AFTER_S = 2.5
ARRIVED_SHARE = 0.97
SAMPLE_S = 0.2
UTILISATION_MIN = 0.97


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at the server: when (its clock, seconds), requests so far, requests in flight."""

    at_s: float
    arrivals: int
    in_flight: int


@contextmanager
def simulator(*options: str, core: int = SERVER_CORE) -> Iterator[str]:
    """Run `personastream simulate` on a free port and yield its base URL."""
    command = processes.personastream("simulate", "--port", "0", *options)
    with processes.start(command, core=core, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def stats(base_url: str) -> Mapping[str, Any]:
    """The simulator's counters."""
    with urllib.request.urlopen(base_url.removesuffix("/v1") + "/stats", timeout=30) as response:
        found: Mapping[str, Any] = json.load(response)
        return found


def watch(base_url: str, client: subprocess.Popen[str]) -> tuple[list[Seen], Mapping[str, Any]]:
    """Look at the server until the client has ended; all looks, and the counters at the end."""
    looks = []
    while client.poll() is None:
        seen = stats(base_url)
        if seen["arrivals"]:
            looks.append(Seen(seen["now_s"], seen["arrivals"], seen["in_flight"]))
        time.sleep(SAMPLE_S)
    return looks, stats(base_url)


def utilisation(looks: list[Seen], first_arrival_s: float, rows: int, in_flight: int) -> dict[str, float]:
    """What the steady window shows."""
    ramped_s = next((seen.at_s for seen in looks if seen.in_flight >= RAMPED_SHARE * in_flight), float("inf"))
    window = [
        seen for seen in looks if seen.at_s >= ramped_s + SETTLED_AFTER_S and seen.arrivals <= ARRIVED_SHARE * rows
    ]
    if len(window) < 10:
        raise SystemExit("the steady window is too short: more --rows are needed")
    rate = (window[-1].arrivals - window[0].arrivals) / (window[-1].at_s - window[0].at_s)
    return {
        "utilisation": rate * LATENCY_S / in_flight,
        "in_flight_share": sum(seen.in_flight for seen in window) / len(window) / in_flight,
        "window_s": window[-1].at_s - window[0].at_s,
        "requests_per_s": rate,
        "ramp_s": ramped_s - first_arrival_s,
    }


def one_round(shard: Path, rows: int, in_flight: int, pacing: str) -> dict[str, float]:
    """One run from start to end against a fresh server."""
    latency = ("--latency", str(LATENCY_S), "--latency-sigma", str(SIGMA), "--output-tokens", "60")
    with tempfile.TemporaryDirectory(prefix="bench-utilisation-") as folder, simulator(*latency) as base_url:
        config = write_config(Path(folder, "run.toml"), [shard], provider=http(base_url, pacing), in_flight=in_flight)
        command = processes.personastream("run", str(config), "--progress", "none")
        client = processes.start(command, core=CLIENT_CORE, stdout=subprocess.DEVNULL)
        looks, end = watch(base_url, client)
        if client.returncode or end["arrivals"] != rows:
            raise SystemExit(f"the run ended with {client.returncode} after {end['arrivals']} of {rows} requests")
        return utilisation(looks, end["first_arrival_s"], rows, in_flight) | {"most_in_flight": end["in_flight_max"]}


def main() -> None:
    """Measure some rounds and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--in-flight", type=int, default=2_000)
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pacing", choices=["adaptive", "fixed"], default="adaptive")
    options = parser.parse_args()
    rounds = []
    with tempfile.TemporaryDirectory(prefix="bench-utilisation-") as folder:
        shard = write_shard(Path(folder, "rows.jsonl.zst"), 0, options.rows)
        for number in range(options.rounds):
            rounds.append(one_round(shard, options.rows, options.in_flight, options.pacing))
            say(f"round {number}: " + ", ".join(f"{name} {value:.3f}" for name, value in rounds[-1].items()))
    figures = {name: spread([one[name] for one in rounds], 4) for name in rounds[0]}
    report(
        "utilisation",
        {
            **figures,
            "in_flight": options.in_flight,
            "pacing": options.pacing,
            "targets": {"utilisation_min": UTILISATION_MIN},
        },
    )


if __name__ == "__main__":
    main()
