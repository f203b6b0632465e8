"""A histogram of durations in fixed buckets: what an observation costs does not grow, nor does the memory.

The same buckets serve percentiles on the spot and Prometheus, which takes them as they are. Pure.
"""

from bisect import bisect_left
from collections.abc import Sequence

_DECADE = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
BOUNDS_S = tuple(round(step * 10.0**decade, 9) for decade in range(-3, 3) for step in _DECADE)
"""Upper bounds in seconds, from a millisecond to 700 s; none is more than two thirds above the one before."""


class Histogram:
    """How many durations fell into each bucket: `counts[i]` up to `BOUNDS_S[i]`, the last one above all bounds."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds

    def __add__(self, other: "Histogram") -> "Histogram":
        """Of what either has counted."""
        both = Histogram()
        both.counts = [one + two for one, two in zip(self.counts, other.counts, strict=True)]
        both.sum_s = self.sum_s + other.sum_s
        return both


def quantile_s(counts: Sequence[int], share: float) -> float | None:
    """The duration below which a `share` of those counted lie, as if they were spread evenly within a bucket.

    None if there are none. Of what lies above all bounds only the last bound is known.
    """
    wanted = share * sum(counts)
    if wanted <= 0.0:
        return None
    below, lower = 0, 0.0
    for count, upper in zip(counts, BOUNDS_S, strict=False):
        if count and below + count >= wanted:
            return lower + (upper - lower) * (wanted - below) / count
        below += count
        lower = upper
    return lower
