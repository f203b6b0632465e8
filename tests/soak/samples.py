"""What is seen of the service once a second, and what follows from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path
from statistics import median
from typing import Any

from tests.soak.processes import Served

POINTS_MAX = 300


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


def slope_bytes_per_million(samples: Sequence[Sample]) -> float:
    """How memory grows with rows: the median of all slopes between two samples, which outliers do not move."""
    step = max(1, len(samples) // POINTS_MAX)
    points = [(sample.rows, sample.rss_bytes) for sample in samples[::step]]
    slopes = [(y2 - y1) / (x2 - x1) * 1e6 for (x1, y1), (x2, y2) in combinations(points, 2) if x2 > x1]
    return median(slopes) if slopes else 0.0


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
