"""What is seen of the service once a second, and what follows from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, groupby, pairwise
from pathlib import Path
from statistics import median
from typing import Any

from tests.soak.processes import Served

POINTS_MAX = 300
WARM_UP_S = 120.0
"""From when requests are in flight until memory is expected to stand still; and as long before the last of them."""
BUSY_SHARE = 0.6
"""Of the requests that may be in flight: with fewer an endpoint is away, and memory has less to hold."""
FLOOR_S = 20.0
"""What commits and answers take and give back within this time is no growth: freed memory is returned every 10 s."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One look. `rows` are settled, of all jobs, in all lives; `life` counts the starts of the service."""

    at_s: float
    life: int
    rows: int
    in_flight: int
    rss_bytes: int
    descriptors: int
    threads: int
    tasks: int
    lag_s: float


def look(served: Served, at_s: float) -> tuple[Sample, dict[str, Any]] | None:
    """None while it does not answer."""
    state = served.state()
    if state is None:
        return None
    jobs = state["jobs"]
    rows = sum(job["delivered"] + sum(job["dropped"].values()) + sum(job["dead"].values()) for job in jobs)
    sample = Sample(
        at_s,
        served.lives,
        rows,
        sum(job["in_flight"] for job in jobs),
        served.rss_bytes(),
        served.descriptors(),
        served.threads(),
        state["tasks"],
        state["loop_lag_s"],
    )
    return sample, state


def steady(samples: Sequence[Sample], in_flight: int) -> Sequence[Sample]:
    """The longest time of one life in which all endpoints were there, without its first and last minutes."""
    best: Sequence[Sample] = ()
    start = 0
    for place, sample in enumerate(samples):
        if sample.in_flight < BUSY_SHARE * in_flight or sample.life != samples[start].life:
            start = place + 1
        elif samples[place].at_s - samples[start].at_s > (best[-1].at_s - best[0].at_s if best else 0.0):
            best = samples[start : place + 1]
    return [sample for sample in best if best[0].at_s + WARM_UP_S <= sample.at_s <= best[-1].at_s - WARM_UP_S]


def slope_bytes_per_million(samples: Sequence[Sample]) -> float:
    """How memory grows with rows: the median of all slopes between two points, which outliers do not move.

    A point is the least that was held within `FLOOR_S`.
    """
    floors = [min(group, key=lambda sample: sample.rss_bytes) for group in _groups(samples)]
    step = max(1, len(floors) // POINTS_MAX)
    points = [(sample.rows, sample.rss_bytes) for sample in floors[::step]]
    slopes = [(y2 - y1) / (x2 - x1) * 1e6 for (x1, y1), (x2, y2) in combinations(points, 2) if x2 > x1]
    return median(slopes) if slopes else 0.0


def _groups(samples: Sequence[Sample]) -> list[list[Sample]]:
    return [list(group) for _, group in groupby(samples, key=lambda sample: int(sample.at_s // FLOOR_S))]


def draw(path: Path, samples: Sequence[Sample], events: Sequence[tuple[float, str]]) -> None:
    """Rows a second, requests in flight, memory and descriptors over time, with what happened."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 9), layout="constrained")
    minutes = [sample.at_s / 60 for sample in samples]
    rates = [0.0] + [
        max(0.0, (after.rows - before.rows) / (after.at_s - before.at_s)) for before, after in pairwise(samples)
    ]
    rows: Sequence[tuple[str, Sequence[float]]] = (
        ("rows settled a second", rates),
        ("requests in flight", [sample.in_flight for sample in samples]),
        ("own memory, MB", [sample.rss_bytes / 1e6 for sample in samples]),
        ("descriptors", [sample.descriptors for sample in samples]),
    )
    for axes, (label, values) in zip(figure.subplots(len(rows), sharex=True), rows, strict=True):
        axes.plot(minutes, values, linewidth=0.8, color="#3b6ea5")
        axes.set_ylabel(label)
        axes.set_ylim(0, 1.2 * max(1.0, sorted(values)[round(0.98 * (len(values) - 1))]))  # a start reads all rows anew
        axes.spines[["top", "right"]].set_visible(False)
        for at_s, name in events:
            axes.axvline(at_s / 60, color="#c0504d", linewidth=0.7, linestyle=":")
            if label == rows[0][0]:
                axes.text(at_s / 60, axes.get_ylim()[1], f" {name}", fontsize=7, rotation=60, va="bottom")
    axes.set_xlabel("minutes")
    figure.savefig(path, dpi=110)
