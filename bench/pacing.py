"""How near to the best goodput the pacing comes, with how few refusals and how little waiting; beside two others.

    python -m bench.pacing [--seeds 3] [--seconds 1500] [--plot FILE.png]

The worlds of `bench/worlds.py`, on a virtual clock, with endless work; the first 300 s are not counted, except in the
plot. Goodput is a share of the best possible: what the limit lets pass, or tokens a second with all slots full.
`latency` is the median time from request to answer as a multiple of the median time in service, that is in a slot:
both over all answers counted, thus at the batch size at which the limiter lets the server run. 1 is no waiting.
`in_flight` is the mean, `limit` the median of what was allowed; `recovered_s` the time from the end of the dip until
95 % of the full rate is answered again over 10 s, of which the service itself takes 8 s. The last line is one JSON
object; medians over the seeds.
"""

import argparse
import statistics
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from itertools import product
from typing import Any

from bench.limiters import Aimd, Fixed
from bench.machine import report, say, spread
from bench.worlds import DIP_S, WORLDS, Limiter, Sample, dip, simulate
from personastream.core.pace import Pace

WARM_UP_S = 300.0
SAMPLE_S = 5.0
RECOVERED_SHARE = 0.95
RECOVERY_SAMPLES = 2

LIMITERS: dict[str, Callable[[int], Limiter]] = {
    "pace": lambda in_flight_max: Pace(in_flight_max, True, 0.0),
    "aimd": Aimd,
    "fixed": Fixed,
}
Figures = dict[str, float]


def measure(case: tuple[str, str, int, float]) -> tuple[Figures, list[Sample]]:
    """One limiter in one world with one seed: its figures, and how it went."""
    world, limiter, seed, stop_s = case
    server = WORLDS[world].make(seed)
    pacing = LIMITERS[limiter](WORLDS[world].in_flight_max)
    seen = simulate(server, pacing, stop_s, start_s=WARM_UP_S, sample_s=SAMPLE_S)
    done = seen.tokens if server.in_tokens else seen.answered
    figures = {
        "goodput": done / server.ideal(WARM_UP_S, stop_s),
        "refused": seen.refused / max(1, seen.refused + seen.answered),
        "latency": statistics.median(seen.latencies_s) / statistics.median(seen.services_s),
        "latency_p50_s": statistics.median(seen.latencies_s),
        "in_flight": seen.in_flight_s / (stop_s - WARM_UP_S),
        "limit": statistics.median(sample.limit for sample in seen.samples if sample.at_s >= WARM_UP_S),
    }
    if world == "changing" and stop_s > DIP_S[1]:
        figures["recovered_s"] = recovered_s(seen.samples, stop_s)
    return figures, seen.samples


def recovered_s(samples: list[Sample], stop_s: float) -> float:
    """Seconds from the end of the dip until answers come at the full rate again, at most until the end."""
    enough = RECOVERED_SHARE * dip(stop_s) * RECOVERY_SAMPLES * SAMPLE_S
    for earlier, later in zip(samples, samples[RECOVERY_SAMPLES:], strict=False):
        if earlier.at_s >= DIP_S[1] and later.answered - earlier.answered >= enough:
            return later.at_s - DIP_S[1]
    return stop_s - DIP_S[1]


def main() -> None:
    """Simulate all worlds with all limiters, and print or plot how they did."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1500.0)
    parser.add_argument("--plot", metavar="FILE.png")
    options = parser.parse_args()
    if options.seconds <= WARM_UP_S:
        parser.error(f"--seconds must be more than the {WARM_UP_S:.0f} that are not counted")
    if options.plot and find_spec("matplotlib") is None:
        parser.error("--plot needs matplotlib: pip install -e '.[bench]'")
    seeds = range(1, options.seeds + 1)
    cases = [(*names, seed, options.seconds) for names in product(WORLDS, LIMITERS) for seed in seeds]
    with ProcessPoolExecutor() as processes:
        found = dict(zip(cases, processes.map(measure, cases), strict=True))
    results: dict[str, dict[str, Any]] = {}
    for world, limiter in product(WORLDS, LIMITERS):
        runs = [found[world, limiter, seed, options.seconds][0] for seed in seeds]
        figures = {name: spread([run[name] for run in runs], 4) for name in runs[0]}
        results.setdefault(world, {})[limiter] = figures
        words = (f"{name} {figure['median']:.4g}" for name, figure in figures.items())
        say(f"{world:18} {limiter:5}  {', '.join(words)}")
    if options.plot:
        from bench.pacing_plot import plot  # needs matplotlib

        first = seeds[0]
        plot(
            {key: found[*key, first, options.seconds][1] for key in product(WORLDS, LIMITERS)},
            {(world, limiter): results[world][limiter] for world, limiter in product(WORLDS, LIMITERS)},
            WARM_UP_S,
            options.plot,
        )
    report("pacing", {"seconds": options.seconds, "seeds": options.seeds, "worlds": results})


if __name__ == "__main__":
    main()
