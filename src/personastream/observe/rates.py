"""Rates and the time left, from counters read now and then. Pure: time is an argument."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import sub

from personastream.core.histogram import quantile_s
from personastream.engine.statistics import Statistics

WINDOW_S = 30.0


@dataclass(frozen=True, slots=True)
class Rates:
    """Per second, over the last half minute; `eta_s` is the time left, None while unknown.

    `latency_s` is how long answered requests of that time took: the median, the 95th and the 99th percentile.
    """

    rows: float
    tokens: float
    requests: float
    eta_s: float | None
    latency_s: tuple[float | None, float | None, float | None] = (None, None, None)


@dataclass(slots=True)
class RateMeter:
    """Remembers (time, rows, tokens, answered requests, their latencies) of this sitting over a sliding window."""

    _seen: deque[tuple[float, int, int, int, Sequence[int]]] = field(default_factory=deque)

    def update(self, now_s: float, statistics: Statistics) -> Rates:
        """Add a reading."""
        tokens = statistics.input_tokens + statistics.output_tokens
        settled = statistics.committed.settled + statistics.uncommitted
        rows = settled - statistics.settled_before
        latencies = tuple(statistics.latency.counts)
        self._seen.append((now_s, rows, tokens, statistics.answered, latencies))
        while now_s - self._seen[0][0] > WINDOW_S:
            self._seen.popleft()
        first_s, first_rows, first_tokens, first_answered, first_latencies = self._seen[0]
        elapsed_s = now_s - first_s
        if elapsed_s <= 0:
            return Rates(0.0, 0.0, 0.0, None)
        rows_per_s = (rows - first_rows) / elapsed_s
        recent = list(map(sub, latencies, first_latencies))
        rows_left = max(0, statistics.rows_estimated - settled)
        return Rates(
            rows=rows_per_s,
            tokens=(tokens - first_tokens) / elapsed_s,
            requests=(statistics.answered - first_answered) / elapsed_s,
            eta_s=rows_left / rows_per_s if rows_per_s > 0 and statistics.rows_estimated else None,
            latency_s=(quantile_s(recent, 0.5), quantile_s(recent, 0.95), quantile_s(recent, 0.99)),
        )


def duration(seconds: float | None) -> str:
    """`42 s`, `3 m 05 s`, `2 h 10 m`, `4 d 03 h`; a dash for None."""
    if seconds is None or seconds != seconds or seconds > 1e9:
        return "–"
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} m"
    return f"{whole // 86400} d {whole % 86400 // 3600:02d} h"
