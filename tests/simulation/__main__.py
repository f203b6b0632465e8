"""`python -m tests.simulation`: crash the commit protocol as often as you like, in all processors."""

import argparse
import os
import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import count

from tests.simulation.driver import Tally, simulate
from tests.simulation.oracle import Violation

BLOCK_SEEDS = 25
SAY_EVERY_S = 2.0


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 if no promise was broken, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed; the others follow it")
    parser.add_argument("--crashes", type=int, default=20_000, help="go on until there were so many")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--trace", action="store_true", help="one seed only: show each operation on the disk")
    options = parser.parse_args(arguments)
    try:
        if options.trace:
            _say(_sentence(simulate(options.seed, trace=_say), 0.0))
        else:
            _run(options.seed, options.crashes, options.jobs)
    except Violation as violation:
        _say(f"VIOLATION  {violation}")
        return 1
    return 0


def block(first: int) -> tuple[Tally, str]:
    """Some seeds from `first` on: what they went through, and the first violation, with how to see it again."""
    tally = Tally()
    for seed in range(first, first + BLOCK_SEEDS):
        try:
            tally.add(simulate(seed))
        except Violation as violation:
            return tally, f"{violation}\n  replay: python -m tests.simulation --seed {seed} --trace"
    return tally, ""


def _run(seed: int, crashes: int, jobs: int) -> None:
    total, started_s = Tally(), time.monotonic()
    said_s = started_s
    firsts = count(seed, BLOCK_SEEDS)
    with ProcessPoolExecutor(jobs) as pool:
        running: set[Future[tuple[Tally, str]]] = {pool.submit(block, next(firsts)) for _ in range(jobs)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for finished in done:
                tally, problem = finished.result()
                total.add(tally)
                if problem:
                    raise Violation(problem)
            if total.crashes < crashes:
                running |= {pool.submit(block, next(firsts)) for _ in done}
            if time.monotonic() - said_s > SAY_EVERY_S or not running:
                said_s = time.monotonic()
                _say(_sentence(total, said_s - started_s))


def _sentence(tally: Tally, seconds: float) -> str:
    rate = f", {tally.crashes / seconds:,.0f} crashes/s" if seconds else ""
    return (
        f"{tally.runs:,} runs, {tally.crashes:,} crashes, {tally.power_losses:,} power losses, "
        f"{tally.failures:,} failed writes, {tally.full:,} times full, {tally.commits:,} commits, 0 violations{rate}"
    )


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
