"""A ceiling on requests per second that exists only while the endpoint turns requests away (429, 503, 529).

A drop lowers the rate to 85 % of what was accepted; from there it grows along a cubic curve: flat near the rate at
which the last drop came, then ever steeper, and after some seconds there is no ceiling at all. So a fixed limit is
used almost fully with few drops, and one that has been raised is found in seconds. After CUBIC (Ha, Rhee and Xu,
2008), on rates as in botocore's adaptive mode; the constants are from the worlds of `bench/pacing.py`.

One decrease per epoch: only a request that was sent after the last decrease can tell of the rate since then.
If *nothing* sent since was accepted, the rate is not what is wrong: the endpoint is shut (it loads, or its minute is
used up). Then the rate is kept, and the gate closes for a while, twice as long each time.
If a lower rate does not lessen the share that is turned away, the rate is not what is wrong either: that share is
noise, and for some time only more than that counts.
"""

import math
from bisect import bisect_left

BETA = 0.85
"""The rate after a decrease, as a share of what was accepted."""
PLATEAU_S = 4.2
"""From a decrease until the rate is back at what was accepted. At 10/s a drop follows every 9 s: 1.1 % of requests."""
PLATEAU_REQUESTS = 25.0
PLATEAU_S_MAX = 60.0
"""A slow endpoint has a longer plateau, so that drops stay rare beside requests: 2 % at 3/s, where 40 requests would
make it 1 % but a limit that has been raised be found half as fast."""
OPEN_AFTER = 8.0
"""Plateaus after the plateau: the rate is 78 times what was accepted, and the ceiling is lifted."""
BURST_S = 0.5
"""Passes at once after a lull, in seconds of the rate, but at least one request."""
RATE_MIN = 0.02
RATE_UNKNOWN = 1.0
"""Where nothing has been accepted yet. If it is too much, the rests do the rest."""
HISTORY_S = 10.0
"""Before the first drop, over how long the rate of accepted requests is taken, roughly."""
TELLING_S = 1.0
TELLING_REQUESTS = 10
"""An epoch that had at least both tells by itself what is accepted; only then may it end."""
DROPS_SUDDEN = 8
"""Or after so many refusals."""
YOUNG_S = 0.1
"""What happened in less time is taken as if it had taken so long."""
DROPS_TELLING = 3
"""So many refusals that a lower rate did not prevent show that it is not the rate."""
NOISE_MARGIN = 1.5
"""What is turned away beyond so many times the noise is the rate's doing."""
NOISE_DEVIATIONS = 1.0
"""And beyond so many standard deviations of chance (a Poisson number's is its root)."""
NOISE_S = 120.0
"""Noise is forgotten over this time (1/e), so that now and then it is tried again whether less would do."""
TIMES_KEPT = 512
SHUT_S = 0.5
SHUT_S_MAX = 8.0
"""A shut endpoint is asked about 12 times in its first minute, then 7 times a minute."""
WAIT_S_MIN = 0.001


class RateGate:
    """A bucket of requests, refilled at a rate that drops lower and time raises; no ceiling before the first drop.

    Times are seconds of one monotonic clock. While `engaged` is false, `wait_s` need not be asked. `noisy` tells
    whether the last refusal was one of those that come at any rate.
    """

    def __init__(self, now_s: float) -> None:
        self.engaged = False
        self.noisy = False
        self._accepted_rate = 0.0
        self._plateau_s = PLATEAU_S
        self._epoch_s = now_s  # the last decrease, or where the history begins
        self._start_s = now_s  # the last decrease, moved on by pauses: where the curve begins
        self._closed_until_s = now_s
        self._sent = self._dropped = 0  # since `_epoch_s`
        self._times: list[float] = []  # of the first requests in this epoch, while engaged
        self._answered = 0  # of the requests sent in this epoch, while engaged
        self._noise, self._noise_s = 0.0, now_s
        self._shut_in_a_row = 0
        self._tokens = 0.0
        self._filled_s = now_s

    def rate(self, now_s: float) -> float:
        """Requests per second that pass now."""
        if not self.engaged:
            return math.inf
        plateaus = -1.0 if self._shut_in_a_row else max(0.0, now_s - self._start_s) / self._plateau_s - 1.0
        return max(RATE_MIN, self._accepted_rate * (1.0 + (1.0 - BETA) * plateaus * plateaus * plateaus))

    def wait_s(self, now_s: float) -> float:
        """Seconds until one more may pass; 0: now."""
        if not self.engaged:
            return 0.0
        if not self._shut_in_a_row and now_s >= self._start_s + (1.0 + OPEN_AFTER) * self._plateau_s:
            self.engaged = False
            return 0.0
        if now_s < self._closed_until_s:
            return max(WAIT_S_MIN, self._closed_until_s - now_s)
        rate = self.rate(now_s)
        elapsed_s = max(0.0, now_s - self._filled_s)
        self._filled_s = max(now_s, self._filled_s)
        self._tokens = min(max(1.0, rate * BURST_S), self._tokens + elapsed_s * rate)
        return 0.0 if self._tokens >= 1.0 else max(WAIT_S_MIN, (1.0 - self._tokens) / rate)

    def sent(self, now_s: float) -> None:
        """A request passes."""
        if self.engaged:
            self._tokens -= 1.0
            self._sent += 1
            if len(self._times) < TIMES_KEPT:
                self._times.append(now_s)
        elif now_s - self._epoch_s < HISTORY_S:
            self._sent += 1
        else:  # half of the history is forgotten
            self._epoch_s += (now_s - self._epoch_s) / 2
            self._sent = self._sent // 2 + 1
            self._dropped //= 2

    def answered(self, sent_s: float) -> None:
        """A request was accepted; of interest while `engaged`."""
        if sent_s >= self._epoch_s:
            self._answered += 1
            self._shut_in_a_row = 0

    def dropped(self, now_s: float, sent_s: float, *, told: bool = False) -> str:
        """A request sent at `sent_s` was turned away; `told`: the endpoint says for how long (`pause`).

        Returns what changed, in words, or nothing.
        """
        if self.engaged and sent_s < self._epoch_s:
            return ""
        self._dropped += 1
        self.noisy = False
        if not self.engaged:
            return "" if self._is_noise(now_s) else self._decrease(now_s)
        if self._answered == 0 and bisect_left(self._times, sent_s) < self._dropped:  # those sent before were accepted
            return "" if told else self._shut(now_s)
        self._shut_in_a_row = 0
        if not self._tells(now_s) and self._dropped < DROPS_SUDDEN:
            return ""
        if not self._is_noise(now_s):
            return self._decrease(now_s)
        if self._dropped >= DROPS_TELLING and now_s < self._start_s + self._plateau_s:
            self.engaged = False  # fewer requests, and no smaller share is turned away: the rate was never too high
            return "requests turned away at any rate"
        return ""

    def pause(self, now_s: float, until_s: float) -> None:
        """Nothing passes until then, and afterwards no burst. The curve waits meanwhile."""
        longer_s = until_s - max(now_s, self._closed_until_s)
        if longer_s > 0.0:
            self._start_s += longer_s
            self._closed_until_s = until_s
        self._filled_s = max(now_s, self._closed_until_s)
        self._tokens = 0.0

    def _decrease(self, now_s: float) -> str:
        accepted = max(0, self._sent - self._dropped)
        elapsed_s = now_s - self._epoch_s
        if not self.engaged:
            rate = accepted / max(YOUNG_S, elapsed_s) if accepted else RATE_UNKNOWN
        elif self._tells(now_s):
            rate = accepted / elapsed_s
        else:
            rate = min(self.rate(now_s), accepted / max(YOUNG_S, elapsed_s))
        self.engaged = True
        self._accepted_rate = max(RATE_MIN, rate)
        self._plateau_s = min(PLATEAU_S_MAX, max(PLATEAU_S, PLATEAU_REQUESTS / self._accepted_rate))
        self._start_s = now_s
        self._new_epoch(now_s)
        return f"requests turned away: {self.rate(now_s):.3g} a second"

    def _tells(self, now_s: float) -> bool:
        """Whether this epoch is long enough to tell by itself what share is accepted."""
        return now_s - self._epoch_s >= TELLING_S and self._sent >= TELLING_REQUESTS

    def _is_noise(self, now_s: float) -> bool:
        """Whether so many are turned away at any rate. Learned where the rate is below what was accepted before."""
        share = self._dropped / max(1, self._sent)
        self._noise *= math.exp((self._noise_s - now_s) / NOISE_S)
        self._noise_s = now_s
        expected = self._noise * self._sent
        tolerated = NOISE_MARGIN * expected + NOISE_DEVIATIONS * math.sqrt(expected)
        self.noisy = self._tells(now_s) and self._dropped <= tolerated
        if self.engaged and self._tells(now_s) and now_s < self._start_s + self._plateau_s:
            self._noise += (share - self._noise) / 2
        return self.noisy

    def _shut(self, now_s: float) -> str:
        pause_s = min(SHUT_S_MAX, SHUT_S * 2.0 ** min(self._shut_in_a_row, 16))
        self._shut_in_a_row += 1
        self._new_epoch(now_s)
        self.pause(now_s, now_s + pause_s)
        return f"every request turned away: {pause_s:.3g} s of rest"

    def _new_epoch(self, now_s: float) -> None:
        self._epoch_s = now_s
        self._sent = self._dropped = self._answered = 0
        self._times.clear()
        self._filled_s, self._tokens = max(now_s, self._closed_until_s), 0.0
