"""Summaries of numbers: quantiles, histograms with round edges, boxes, ticks, distances. Pure."""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

WHISKER = 1.5
"""How many heights of the box a whisker may reach; what lies beyond is an outlier (Tukey)."""


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` of the sorted values lie, between two neighbours in proportion."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def spread(values: Iterable[float]) -> dict[str, float] | None:
    """Least, p5, quartiles, p95, greatest and mean of the values; None if there are none."""
    ordered = sorted(values)
    if not ordered:
        return None
    shares = {"p5": 0.05, "q1": 0.25, "median": 0.5, "q3": 0.75, "p95": 0.95}
    return {
        "min": ordered[0],
        **{name: quantile(ordered, share) for name, share in shares.items()},
        "max": ordered[-1],
        "mean": math.fsum(ordered) / len(ordered),
    }


def box(values: Iterable[float]) -> dict[str, Any] | None:
    """What a box plot shows: quartiles, whiskers at the last values within reach, and the outliers."""
    ordered = sorted(values)
    told = spread(ordered)
    if told is None:
        return None
    reach = WHISKER * (told["q3"] - told["q1"])
    inside = [value for value in ordered if told["q1"] - reach <= value <= told["q3"] + reach]
    return {
        "count": len(ordered),
        **{name: told[name] for name in ("min", "q1", "median", "q3", "max")},
        "low": inside[0],
        "high": inside[-1],
        "outliers": [value for value in ordered if not inside[0] <= value <= inside[-1]],
    }


def round_step(least: float) -> float:
    """The least of 1, 2, 2.5, 5 times a power of ten that is no smaller than `least`."""
    if least <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= least * (1 - 1e-9))


def ticks(greatest: float, count: int = 4) -> list[float]:
    """Round numbers from 0 to `greatest` or a little more, about `count` steps of them."""
    step = round_step(greatest / count)
    return [step * place for place in range(max(1, math.ceil(greatest / step - 1e-9)) + 1)]


def histogram(values: Sequence[int], bins: int = 24) -> dict[str, Any] | None:
    """Counts between round edges from 0 on; what lies beyond most of the values is in `over`, with no upper edge.

    `edges` has one entry more than `counts`; a value on an edge counts above it.
    """
    if not values:
        return None
    ordered = sorted(values)
    step = max(1, math.ceil(round_step(quantile(ordered, 0.99) / bins)))
    count = min(math.ceil((ordered[-1] + 1) / step), bins)
    edges = [step * place for place in range(count + 1)]
    counts = [0] * (count + 1)
    for value in ordered:
        counts[min(bisect_right(edges, value) - 1, count)] += 1
    return {"edges": edges, "counts": counts[:-1], "over": counts[-1]}


def shares(counts: Mapping[str, int], most: int) -> list[dict[str, Any]]:
    """The commonest names with counts and shares, commonest first; the rest is one entry without a name."""
    total = sum(counts.values())
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    told = [{"name": name, "count": count, "share": count / total} for name, count in ranked[:most] if count]
    if rest := sum(count for _, count in ranked[most:]):
        told.append({"name": None, "count": rest, "share": rest / total, "names": len(ranked) - most})
    return told


def tally(names: Iterable[str]) -> dict[str, int]:
    """How often each name comes."""
    return dict(Counter(names))
