"""Whether one more request may be sent to an endpoint now: all gates together, for one (base URL, key, model).

* The breaker leaves an endpoint alone that only fails (`breaker`).
* A pause that the endpoint asked for holds for every request, and does not end in a rush.
* The rate gate keeps below a limit that shows itself only by refusals (`rate_gate`).
* The header budget keeps above zero what the endpoint says is left (`header_budget`).
* The goodput gate finds how many requests in flight are enough (`goodput_gate`).

Pure: time is an argument, in seconds of one monotonic clock, and never random. What ends is told with the time at
which it was sent, as replies come in any order. While nothing is wrong a request costs about a microsecond.
"""

import math
from collections.abc import Mapping

from personastream.core.breaker import Breaker
from personastream.core.goodput_gate import GoodputGate
from personastream.core.header_budget import HeaderBudget
from personastream.core.rate_gate import RateGate

PAUSE_S_MAX = 600.0
"""A longer Retry-After is tried out all the same: some servers send nonsense, and limits are lifted early."""


class Pace:
    """One endpoint's gates. Each `sent` is followed by exactly one of `answered`, `throttled`, `failed` and `ended`.

    `limit` is the number of requests that may be in flight now, `reason` says in words what changed last.
    """

    def __init__(self, in_flight_max: int, adaptive: bool, now_s: float) -> None:
        self.in_flight_max = max(1, in_flight_max)
        self.reason = ""
        self._goodput = GoodputGate(self.in_flight_max, now_s) if adaptive else None
        self.limit = self._goodput.limit if self._goodput is not None else self.in_flight_max
        self._rate = RateGate(now_s)
        self._budget = HeaderBudget()
        self._breaker = Breaker()
        self._blocked_until_s = -math.inf
        self._hindered = False  # whether anything but the limit may hold a request back

    def change(self, in_flight_max: int, now_s: float) -> None:
        """From now on so many requests may be in flight at most. Those that are go on."""
        self.in_flight_max = max(1, in_flight_max)
        if self._goodput is not None:
            self._goodput.change(self.in_flight_max, now_s)
            self._follow(self._goodput)
        else:
            self.limit = self.in_flight_max

    def wait_s(self, now_s: float, in_flight: int) -> float:
        """0: one more may be sent now. Else seconds after which to ask again; infinite: when a request has ended.

        `in_flight` counts the requests sent that have not ended.
        """
        if in_flight >= self.limit - 1 and self._goodput is not None:
            self._goodput.full()
        if in_flight >= self.limit:
            return math.inf
        return self._hindrance_s(now_s, in_flight) if self._hindered else 0.0

    def sent(self, now_s: float) -> None:
        """A request is being sent."""
        self._rate.sent(now_s)
        if self._hindered:
            self._breaker.sent(now_s)

    def answered(self, now_s: float, sent_s: float, output_tokens: int, headers: Mapping[str, str] | None) -> None:
        """A request was answered as it should be; `output_tokens` is 0 where unknown."""
        if self._breaker.answered(sent_s):
            self.reason = "it answers again"
        if self._rate.engaged:
            self._rate.answered(sent_s)
        if self._goodput is not None and self._goodput.completed(now_s, output_tokens if output_tokens > 1 else 1):
            self._follow(self._goodput)
        if headers and self._budget.told(sent_s, headers):
            self._hindered = True
            self.reason = "its headers say that little is left"

    def throttled(self, now_s: float, sent_s: float, pause_s: float | None) -> None:
        """The endpoint turned a request away (429, 503, 529); `pause_s` is how long it asks to be left alone."""
        self._breaker.answered(sent_s)
        self._hindered = True
        until_s = now_s + min(PAUSE_S_MAX, pause_s) if pause_s is not None and pause_s > 0.0 else -math.inf
        if changed := self._rate.dropped(now_s, sent_s, told=until_s > now_s):
            self.reason = changed
            if self._goodput is not None:
                self._goodput.interrupted(now_s)
        if until_s > self._blocked_until_s and not self._rate.noisy:  # else one of many behind it asks, not all
            self._blocked_until_s = until_s
            self._rate.pause(now_s, until_s)
            self.reason = f"it asks for {until_s - now_s:.3g} s of rest"

    def failed(self, now_s: float, sent_s: float) -> None:
        """A request failed by the endpoint's fault: unreachable, timed out, 5xx, no sense in the answer."""
        gate = self._goodput
        if self._breaker.failed(now_s, sent_s):
            self._hindered = True
            self.reason = "it only fails"
            if gate is not None:
                gate.broke_down(now_s)
                self.limit = gate.limit
        elif gate is not None and gate.completed(now_s, 0):
            self._follow(gate)

    def ended(self, now_s: float, sent_s: float) -> None:
        """A request ended otherwise: refused for its own fault, or cancelled."""
        self._breaker.ended(sent_s)

    def blocked_s(self, now_s: float) -> float:
        """Seconds for which nothing at all can be sent; 0 if only a rate or the number in flight holds requests."""
        return max(0.0, max(self._blocked_until_s, self._budget.closed_until_s, self._breaker.until_s) - now_s)

    def state(self, now_s: float) -> str:
        """The breaker's: `closed` (requests flow), `open` or `half-open`."""
        return self._breaker.state(now_s)

    def _hindrance_s(self, now_s: float, in_flight: int) -> float:
        if in_flight == 0:
            self._breaker.idle()
        wait_s = max(self.blocked_s(now_s), self._rate.wait_s(now_s), self._breaker.wait_s(now_s))
        self._hindered = wait_s > 0.0 or self._rate.engaged or not self._breaker.closed
        return wait_s

    def _follow(self, gate: GoodputGate) -> None:
        self.limit = gate.limit
        self.reason = f"{gate.trial.value}: {gate.limit} in flight"
