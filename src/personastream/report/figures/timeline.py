"""How fast it went, and what it cost by then: sampled records by the second in which they were made."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from personastream.core.outcomes import Usage
from personastream.core.spend import NANOS
from personastream.report.records import iso
from personastream.report.sampling import Sample

BINS_MAX = 48
WIDTHS_S = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200),
    *(86_400, 172_800, 604_800),
)
PAUSE_S_MIN = 60.0
PAUSE_FACTOR = 20


def time_figures(sample: Sample, records: int, usage: Usage) -> dict[str, Any] | None:
    """Bins of equal width, scaled so that they add up to all `records` and to what these cost; None without times.

    A pause is a gap of a minute or more, and much longer than gaps usually are.
    """
    timed = [
        (item.created_s, spent)
        for item, spent in zip(sample.items, sample.spent, strict=True)
        if item.created_s is not None
    ]
    if not timed:
        return None
    timed.sort(key=lambda entry: entry[0])
    first_s, last_s = timed[0][0], timed[-1][0]
    width_s = bin_width(last_s - first_s + 1)
    start_s = math.floor(first_s / width_s) * width_s
    count = int((last_s - start_s) // width_s) + 1
    bins = [[0.0] * 4 for _ in range(count)]
    for created_s, spent in timed:
        entry = bins[int((created_s - start_s) // width_s)]
        entry[0] += 1
        for place, amount in enumerate(spent, 1):
            entry[place] += amount
    wholes = (records, usage.input_tokens, usage.output_tokens, usage.spend_nanos / NANOS)
    columns = [_scaled([entry[place] for entry in bins], whole) for place, whole in enumerate(wholes)]
    pauses = _pauses([created_s for created_s, _ in timed])
    return {
        "first": iso(first_s),
        "last": iso(last_s),
        "start": iso(start_s),
        "span_s": last_s - first_s + 1,
        "bin_s": width_s,
        **dict(zip(("records", "input_tokens", "output_tokens", "spend"), columns, strict=True)),
        "pauses": {"count": len(pauses), "total_s": math.fsum(pauses), "longest_s": max(pauses, default=0.0)},
    }


def bin_width(span_s: float) -> int:
    """The least width, of those that clocks have, with which so long a time makes no more bins than can be seen."""
    fitting = (width_s for width_s in WIDTHS_S if span_s / width_s <= BINS_MAX)
    return next(fitting, math.ceil(span_s / BINS_MAX / WIDTHS_S[-1]) * WIDTHS_S[-1])


def _scaled(values: Sequence[float], whole: float) -> list[float]:
    total = math.fsum(values)
    return [value * whole / total for value in values] if total else list(values)


def _pauses(moments_s: Sequence[float]) -> list[float]:
    gaps = sorted(later - earlier for earlier, later in pairwise(moments_s))
    usual = gaps[len(gaps) // 2] if gaps else 0.0
    return [gap for gap in gaps if gap > max(PAUSE_S_MIN, PAUSE_FACTOR * usual)]
