"""How soon the dashboard shows something, with thousands of dead letters behind it.

    python -m bench.dashboard [--dead 10000] [--rounds 5]

A real service carries out a job against `personastream simulate`, which refuses half of all requests, until so many
rows are dead (or a few more). Then headless Chromium opens the page anew in each round. Measured, in milliseconds: from
the beginning of the navigation to the first paint with content, and to the list of jobs; from a click on the job to its
first fifty dead letters; to fifty more. Besides, what a page of 200 letters takes the API, at the beginning and at the
end of them all, and what a scrape takes. The last line is one JSON object.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.machine import report, say, spread
from tests.support.browser import Browser, browser
from tests.support.served_root import Served
from tests.support.simulated import simulated
from tests.support.watched_service import config_of, page_of, submit, watched, write_personas

FIRST_PAINT_MS_MAX = 1000
PAGE = 200
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
LISTED = """new Promise(done => (function look() {
  document.querySelector('.job') ? done(performance.now()) : requestAnimationFrame(look) })())"""
CLICKED = """new Promise(done => { const began = performance.now(); document.querySelector('%s').click();
  (function look() { document.querySelectorAll('.letter').length === %d
    ? done(performance.now() - began) : requestAnimationFrame(look) })() })"""


def opened(chromium: Browser, service: Served) -> dict[str, float]:
    """One round: milliseconds by what they were waited for."""
    page = chromium.open(page_of(service))
    listed = page.evaluate(LISTED)
    page.wait_for(PAINTED)
    return {
        "first_paint": page.evaluate(PAINTED),
        "jobs_listed": listed,
        "letters_shown": page.evaluate(CLICKED % (".job .name", 50)),
        "more_letters": page.evaluate(CLICKED % ("#more-letters", 100)),
    }


def pages_ms(service: Served) -> list[float]:
    """What each page of all dead letters takes the API, its client included."""
    found, after = [], ""
    while True:
        began_s = time.perf_counter()
        told = service.call("GET", f"/v1/jobs/many/dead?limit={PAGE}&after={after}")
        found.append(1000 * (time.perf_counter() - began_s))
        after = told["next"]
        if not after:
            return found


def scrape_ms(service: Served) -> float:
    """What a scrape takes."""
    began_s = time.perf_counter()
    service.call("GET", "/metrics")
    return 1000 * (time.perf_counter() - began_s)


def measured(folder: Path, dead: int, rounds: int) -> dict[str, Any]:
    """All figures."""
    shard = write_personas(folder / "many.jsonl", round(2.1 * dead))
    with simulated("--fault", "badrequest=0.5") as simulator, watched(folder) as service:
        submit(service, "many", config_of(simulator.base_url, shard, in_flight_max=64))
        service.until(lambda: service.job("many")["state"] == "done")
        counted = sum(service.job("many")["dead"].values())
        say(f"{counted:,} rows are dead")
        with browser() as chromium:
            seen = [opened(chromium, service) for _ in range(rounds)]
        pages = pages_ms(service)
        scrapes = [scrape_ms(service) for _ in range(rounds)]
    return {
        "dead": counted,
        "ms": {name: spread([each[name] for each in seen], 1) for name in seen[0]},
        "api_ms": {"first_page": round(pages[0], 1), "last_page": round(pages[-1], 1), "slowest": round(max(pages), 1)},
        "scrape_ms": spread(scrapes, 1),
        "targets": {"first_paint_ms_max": FIRST_PAINT_MS_MAX},
    }


def main() -> None:
    """Measure, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dead", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-dashboard-") as folder:
        report("dashboard", measured(Path(folder), options.dead, options.rounds))


if __name__ == "__main__":
    main()
