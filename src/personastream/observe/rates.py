"""Rates and the time left, from counters read now and then. Pure: time is an argument."""

from collections import deque
from dataclasses import dataclass, field

from personastream.engine.statistics import Statistics

WINDOW_S = 30.0


@dataclass(frozen=True, slots=True)
class Rates:
    """Per second, over the last half minute; `eta_s` is the time left, None while unknown."""

    rows: float
    tokens: float
    requests: float
    eta_s: float | None


@dataclass(slots=True)
class RateMeter:
    """Remembers (time, rows, tokens, requests, share of the input read) over a sliding window."""

    _seen: deque[tuple[float, int, int, int, float]] = field(default_factory=deque)

    def update(self, now_s: float, statistics: Statistics, share_done: float) -> Rates:
        """Add a reading; `share_done` is the settled share of the whole input, 0 to 1."""
        tokens = statistics.input_tokens + statistics.output_tokens
        reading = (
            now_s,
            statistics.committed.settled + statistics.uncommitted,
            tokens,
            statistics.answered,
            share_done,
        )
        self._seen.append(reading)
        while now_s - self._seen[0][0] > WINDOW_S:
            self._seen.popleft()
        first = self._seen[0]
        elapsed_s = now_s - first[0]
        if elapsed_s <= 0:
            return Rates(0.0, 0.0, 0.0, None)
        share_per_s = (share_done - first[4]) / elapsed_s
        return Rates(
            rows=(reading[1] - first[1]) / elapsed_s,
            tokens=(tokens - first[2]) / elapsed_s,
            requests=(reading[3] - first[3]) / elapsed_s,
            eta_s=(1.0 - share_done) / share_per_s if share_per_s > 0 else None,
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
