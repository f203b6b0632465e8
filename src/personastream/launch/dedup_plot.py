"""`report.svg`: how large groups of exact duplicates are, as a picture. For those who have matplotlib."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

NAME = "report.svg"


def write_plot(directory: Path, report: Mapping[str, Any]) -> Path | None:
    """Where the picture is; None without matplotlib, or without groups. Raises `OSError`."""
    sizes: dict[str, int] = {}
    for told in report["transforms"]:
        sizes |= told.get("groups", {}).get("sizes", {})
    if not sizes or find_spec("matplotlib") is None:
        return None
    path = directory / NAME
    _draw(path, list(sizes), list(sizes.values()))
    return path


def _draw(path: Path, sizes: Sequence[str], counts: Sequence[int]) -> None:
    from matplotlib.figure import Figure  # takes a second, and has no part in anything else

    figure = Figure(figsize=(1.8 + 0.55 * len(sizes), 3.2), layout="constrained")
    axes = figure.subplots()
    bars = axes.bar(sizes, counts, color="#3b6ea5")
    axes.bar_label(bars, [f"{count:,}" for count in counts], fontsize=8)
    axes.set_yscale("log")
    axes.set_ylim(0.7, max(counts) * 3)
    axes.set_xlabel("rows in a group of exact duplicates")
    axes.set_ylabel("groups")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, format="svg")
