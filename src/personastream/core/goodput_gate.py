"""How many requests may be in flight at an endpoint that never says "too many" but lets them queue (vLLM, SGLang).

The gate raises its limit in large steps while that brings enough more tokens per second. Beyond the point where it
does not, more requests only wait longer: it goes back, and then tries a few more and a few less, ever more rarely.
Latency is not used: it differs with the length of answers, and its smallest value tells nothing (Netflix's Vegas and
Envoy's gradient settle far below what such servers can do).

Everything is counted in completions: by Little's law n completions take one mean latency while n are in flight. A
trial skips one such turnover, in which the earlier limit still shows, and measures over the following ones. It counts
only while the limit is what holds requests back: with little work, or another gate in the way, nothing is learnt.
All constants are tuned in the worlds of `bench/pacing.py`, with 4 to 1,000 slots.
"""

import math
from enum import Enum

LIMIT_START = 8
"""Harmless for a laptop's server with 4 slots. With large steps there are 2,048 in flight after 8 latencies."""
STEP_LARGE, STEP_MIDDLE, STEP_SMALL = 4.0, 2.0, 1.25
"""Up: large while gains are nearly proportional, then middle, and small from the first that brings too little. Down:
the root of the last step up, larger after each success."""
ELASTICITY = 0.15
"""A limit k times as high must bring k**0.15 times the goodput: 1.23 for 4, 1.03 for 1.25. A queue brings 1; a server
whose steps slow down from 20 to 50 ms while its 256 slots fill brings k**0.4 at the end. With 0.25 it stays at 80 % of
what one with 1,000 slots can do, with 0.1 noise leads it astray."""
PROPORTIONAL = 0.8
"""An elasticity from which the endpoint is far from its best: steps are large."""
COMPLETIONS_MIN = 32
PROBE_COMPLETIONS = 50.0
"""Times the square root of the limit, for small steps. Nearly all the error in tokens a second comes from the answers
that the ends of a trial cut, as many as are in flight: after so many completions it is about 2 %."""
LUCK_MIN = 0.8
"""The true goodput of a limit as a share of what a short trial showed, at the least."""
HOLD_PROBES_MAX = 16.0
"""A rest lasts as long as one probe at first, and twice as long after each that found nothing better."""
TOKENS_MAX = 1 << 20
"""Counted for one answer, whatever the endpoint says."""


class Trial(Enum):
    """What the limit is being tried for."""

    MORE = "trying more"
    FEWER = "trying fewer"
    HOLD = "holding"


class GoodputGate:
    """A limit on requests in flight, moved by trials. Times are seconds of one monotonic clock."""

    def __init__(self, limit_max: int, now_s: float) -> None:
        self.limit = min(LIMIT_START, limit_max)
        self._limit_max = limit_max
        self._base, self._base_goodput = 0, 0.0  # the best limit known, and its tokens per second
        self._step_up, self._step_down = STEP_LARGE, STEP_SMALL
        self._hold_probes = 1.0
        self._begin(Trial.MORE, self.limit, now_s)
        self._measure(now_s, 2 * LIMIT_START)  # nothing to skip

    def change(self, limit_max: int, now_s: float) -> None:
        """The highest limit is another one. One that is raised is tried at once; one that is in the way holds."""
        is_raised, self._limit_max = limit_max > self._limit_max, limit_max
        if self._base > limit_max:  # as much less is served, until it is measured
            self._base_goodput *= limit_max / self._base
            self._base = limit_max
        if self.limit > limit_max:
            self._begin(Trial.HOLD if self._base else Trial.MORE, limit_max, now_s)
        elif is_raised and self._base and self.trial is Trial.HOLD:
            self._hold_probes = 1.0
            self._try_more(now_s)
        elif is_raised and not self._base:
            self._begin(Trial.MORE, min(limit_max, max(self.limit, LIMIT_START)), now_s)

    def full(self) -> None:
        """The limit is reached: it is what holds the next request back."""
        self._since_full = 0

    def completed(self, now_s: float, output_tokens: int) -> bool:
        """A request has ended, with 0 tokens if it failed. Returns whether that changed the limit."""
        self._since_full += 1
        if self._since_full > self.limit:
            self.interrupted(now_s)
            return False
        self._completions += 1
        self._tokens += output_tokens if output_tokens < TOKENS_MAX else TOKENS_MAX
        if self._completions < self._due:
            return False
        if self._skipping:
            self._measure(now_s, self._length())
            return False
        before = self.limit
        if now_s > self._started_s:
            self._decide(self._tokens / (now_s - self._started_s), now_s)
        else:  # a clock that stands still tells nothing
            self.interrupted(now_s)
        return self.limit != before

    def interrupted(self, now_s: float) -> None:
        """Something else held requests back: the trial starts again."""
        self._begin(self.trial, self.limit, now_s)

    def broke_down(self, now_s: float) -> None:
        """The endpoint only fails: if more than before are in flight, that may be the cause."""
        if self.trial is Trial.MORE and self._base:
            self._step_up = STEP_SMALL
            self._hold(self._base, now_s)
        else:
            self.interrupted(now_s)

    def _begin(self, trial: Trial, limit: int, now_s: float) -> None:
        # The earlier limit shows for one turnover. Where little is known of the new one, the old one's must do: it is
        # over before a long queue has formed.
        turnover = self.limit if limit >= STEP_LARGE * self.limit else max(limit, self.limit)
        self.trial, self.limit = trial, limit
        self._since_full = 0
        self._measure(now_s, turnover)
        self._skipping = True

    def _measure(self, now_s: float, completions: int) -> None:
        self._skipping = False
        self._completions = self._tokens = 0
        self._due = completions
        self._started_s = now_s

    def _length(self) -> int:
        """Completions to measure over: few for large steps, whose effect is large."""
        probe = max(self.limit, math.ceil(PROBE_COMPLETIONS * math.sqrt(self.limit)))
        if self.trial is Trial.HOLD:
            return math.ceil(self._hold_probes * probe)
        if self.trial is Trial.FEWER:
            return probe if STEP_SMALL * (self.limit + 1) > self._base else max(self.limit, probe // 2)
        large = not self._base or self.limit >= STEP_MIDDLE * self._base
        return max(self.limit, COMPLETIONS_MIN) if large else probe

    def _decide(self, goodput: float, now_s: float) -> None:
        """The trial is over: keep what it tried or not, and go on."""
        better = self._gained(goodput, ELASTICITY)
        match self.trial:
            case Trial.HOLD:
                self._base, self._base_goodput = self.limit, goodput
                self._try_more(now_s)
            case Trial.MORE if better and goodput > 0.0:
                far = self._gained(goodput, PROPORTIONAL)
                self._step_down = max(STEP_SMALL, math.sqrt(self._step_up))
                self._step_up = STEP_LARGE if far else min(self._step_up, STEP_MIDDLE)
                self._keep(goodput)
                self._try_more(now_s)
            case Trial.MORE:
                self._too_many(goodput, now_s)
            case Trial.FEWER if better:
                self._step_down = min(STEP_MIDDLE, self._step_down**2)
                self._keep(goodput)
                self._try_fewer(now_s)
            case _:
                self._step_down = max(STEP_SMALL, math.sqrt(self._step_down))
                self._hold(self._base, now_s)

    def _gained(self, goodput: float, elasticity: float) -> bool:
        """Whether goodput has grown with the limit, from the base on, at least to the power of `elasticity`."""
        return not self._base or goodput >= self._base_goodput * (self.limit / self._base) ** elasticity

    def _too_many(self, goodput: float, now_s: float) -> None:
        """Go back, or as far as it takes for this goodput if each request is served as fast as at the base."""
        if not self._base:  # nothing has been answered yet
            return self.interrupted(now_s)
        self._step_up, step = STEP_SMALL, self._step_up
        needed = min(self.limit, math.ceil(self._base * goodput / self._base_goodput)) if self._base_goodput else 0
        if step > STEP_SMALL and needed > self._base * STEP_SMALL:
            return self._begin(Trial.HOLD, needed, now_s)
        # Fewer never do more: what looked better was luck, or else too many do harm.
        self._base_goodput = max(min(self._base_goodput, goodput), LUCK_MIN * self._base_goodput)
        return self._try_fewer(now_s)

    def _keep(self, goodput: float) -> None:
        self._base, self._base_goodput = self.limit, goodput
        self._hold_probes = 1.0

    def _hold(self, limit: int, now_s: float) -> None:
        self._begin(Trial.HOLD, limit, now_s)
        self._hold_probes = min(HOLD_PROBES_MAX, 2.0 * self._hold_probes)

    def _try_more(self, now_s: float) -> None:
        limit = min(self._limit_max, math.ceil(self._step_up * self._base))
        if limit > self._base:
            self._begin(Trial.MORE, limit, now_s)
        else:
            self._hold(self._base, now_s)

    def _try_fewer(self, now_s: float) -> None:
        limit = int(self._base / self._step_down)
        if limit:
            self._begin(Trial.FEWER, limit, now_s)
        else:
            self._hold(self._base, now_s)
