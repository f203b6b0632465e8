"""The picture that `bench.pacing --plot` draws: goodput and requests in flight over time, world by world."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.worlds import WORLDS, Sample

SHOWN = ("hosted", "changing", "batched_64", "batched_256")
STYLES: dict[str, dict[str, Any]] = {
    "fixed": {"color": "#c9ccd2", "linewidth": 4.0, "zorder": 2},
    "aimd": {"color": "#e08a3c", "linewidth": 1.6, "zorder": 3},
    "pace": {"color": "#1f5fa8", "linewidth": 2.2, "zorder": 4},
}
LABELS = {"pace": "personastream", "aimd": "AIMD", "fixed": "fixed limit"}
INK, PALE = "#2b2f36", "#8a8f98"
SMOOTHED_SAMPLES = 6
DPI = 150

Runs = Mapping[tuple[str, str], Sequence[Sample]]
Medians = Mapping[tuple[str, str], Mapping[str, Any]]


def plot(runs: Runs, figures: Medians, warm_up_s: float, path: str) -> None:
    """Draw `runs` by (world, limiter), with the medians of their figures beside them, to a PNG file."""
    mpl.rcParams.update(
        {"font.family": "DejaVu Sans", "font.size": 9, "axes.edgecolor": PALE, "xtick.color": PALE, "ytick.color": PALE}
    )
    picture = Figure(figsize=(14.0, 11.5), facecolor="white")
    rows = picture.subplots(len(SHOWN), 3, width_ratios=(1.0, 1.0, 0.95), squeeze=False)
    for row, world in zip(rows, SHOWN, strict=True):
        for limiter in STYLES:
            draw_goodput(row[0], runs[world, limiter], world, limiter)
            draw_in_flight(row[1], runs[world, limiter], limiter)
        unit = "tokens a second" if world.startswith("batched") else "answers a second"
        finish(row[0], WORLDS[world].title, unit, warm_up_s)
        finish(row[1], "", "in flight", warm_up_s)
        row[1].set_yscale("log", base=2)
        row[1].yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        row[1].set_ylim(4, 2 * 4096)
        tell(row[2], {limiter: figures[world, limiter] for limiter in LABELS})
    for axes in rows[-1][:2]:
        axes.set_xlabel("seconds", color=INK)
    picture.text(0.055, 0.968, "As fast as the endpoint allows, and no pushing", fontsize=17, color=INK, weight="bold")
    picture.text(
        0.055,
        0.928,
        "Simulated endpoints with endless work before them. Goodput is a share of the best possible; "
        "latency a multiple of the time in service.\n"
        "Lines: one run. Figures: medians, without the start, which is shaded.",
        fontsize=10,
        color=PALE,
    )
    picture.subplots_adjust(left=0.055, right=0.985, top=0.862, bottom=0.05, hspace=0.45, wspace=0.14)
    picture.savefig(path, dpi=DPI)


def draw_goodput(axes: Axes, samples: Sequence[Sample], world: str, limiter: str) -> None:
    """Answers or tokens a second, over half a minute."""
    thinned = samples[::SMOOTHED_SAMPLES]
    counts = [sample.tokens if world.startswith("batched") else sample.answered for sample in thinned]
    times = [sample.at_s for sample in thinned]
    spans = zip(pairwise(times), pairwise(counts), strict=True)
    rates = [(after - before) / (stop_s - start_s) for (start_s, stop_s), (before, after) in spans]
    axes.plot([(start_s + stop_s) / 2 for start_s, stop_s in pairwise(times)], rates, **STYLES[limiter])


def draw_in_flight(axes: Axes, samples: Sequence[Sample], limiter: str) -> None:
    """Requests in flight, as they were."""
    axes.plot([one.at_s for one in samples], [max(1, one.in_flight) for one in samples], **STYLES[limiter])


def finish(axes: Axes, title: str, unit: str, warm_up_s: float) -> None:
    """Few lines, light ones, and words where the eye looks for them; what is not counted is shaded."""
    axes.set_title(title, loc="left", color=INK, weight="bold", fontsize=11, pad=16)
    axes.text(0.0, 1.03, unit, transform=axes.transAxes, color=PALE, fontsize=8.5)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(axis="y", color="#e6e8ec", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.axvspan(0.0, warm_up_s, color="#f4f5f7", linewidth=0.0, zorder=0)
    axes.tick_params(length=0)
    axes.set_xlim(0, None)
    axes.margins(x=0)
    if axes.get_yscale() == "linear":
        axes.set_ylim(0, None)


def tell(axes: Axes, figures: Mapping[str, Mapping[str, Any]]) -> None:
    """The medians of a world as a small table."""
    axes.axis("off")
    columns = {"goodput": 0.63, "refused": 0.82, "latency": 1.0}
    for name, place in columns.items():
        axes.text(place, 0.92, name, ha="right", color=PALE, fontsize=9)
    for line, (limiter, label) in enumerate(LABELS.items()):
        height = 0.72 - 0.22 * line
        weight = "bold" if limiter == "pace" else "normal"
        axes.plot([0.0, 0.05], [height + 0.025] * 2, **{**STYLES[limiter], "linewidth": 3.0})
        axes.text(0.08, height, label, color=INK, weight=weight, fontsize=10)
        for name, place in columns.items():
            axes.text(place, height, words(name, figures[limiter]), ha="right", color=INK, weight=weight, fontsize=10)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)


def words(name: str, figures: Mapping[str, Any]) -> str:
    """One figure for people."""
    median = figures[name]["median"]
    if name == "latency":
        return f"{median:.2f} ×" if median < 10 else f"{median:.0f} ×"
    return f"{100 * median:.1f} %"
