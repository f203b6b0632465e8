"""Leaves an endpoint alone that only fails, and asks it again with one request at a time."""

import math

FAULTS_IN_A_ROW = 10
"""A storm in which 30 % of all attempts fail has ten in a row once in 170,000 attempts."""
OPEN_S = 0.5
OPEN_S_MAX = 5.0
"""An endpoint that has come back is in use again within 10 s, even if one probe is lost to chance."""


class Breaker:
    """Closed until ten faults in a row; then open for a while, twice as long each time; then one probe decides.

    Times are seconds of one monotonic clock. Only the probe can be sent after the breaker opened: what was sent
    before tells of the past, and changes nothing when it ends. `until_s` is the end of the rest, long ago if closed.
    """

    def __init__(self) -> None:
        self.closed = True
        self._faults = 0
        self._open_s = OPEN_S
        self.until_s = -math.inf
        self._probing = False

    def state(self, now_s: float) -> str:
        """`closed`, `open` or `half-open`."""
        if self.closed:
            return "closed"
        return "open" if now_s < self.until_s else "half-open"

    def wait_s(self, now_s: float) -> float:
        """Seconds until a request may pass; 0: now; infinite: not before the probe ends."""
        return math.inf if self._probing else max(0.0, self.until_s - now_s)

    def sent(self, now_s: float) -> None:
        """A request passes. If the breaker is half-open, it is the probe."""
        if not self.closed and now_s >= self.until_s:
            self._probing = True

    def answered(self, sent_s: float) -> bool:
        """The endpoint has answered a request sent at `sent_s`. Returns whether that closed the breaker."""
        if self.closed:
            self._faults = 0
            return False
        if not self._is_probe(sent_s):
            return False
        self.closed, self._probing = True, False
        self._faults, self._open_s, self.until_s = 0, OPEN_S, -math.inf
        return True

    def failed(self, now_s: float, sent_s: float) -> bool:
        """A request sent at `sent_s` failed by the endpoint's fault. Returns whether that opened the breaker."""
        if self.closed:
            self._faults += 1
            if self._faults < FAULTS_IN_A_ROW:
                return False
        elif not self._is_probe(sent_s):
            return False
        self.closed = self._probing = False
        self.until_s = now_s + self._open_s
        self._open_s = min(OPEN_S_MAX, 2.0 * self._open_s)
        return True

    def ended(self, sent_s: float) -> None:
        """A request ended in a way that says nothing. If it was the probe, another may be sent."""
        if not self.closed and self._is_probe(sent_s):
            self._probing = False

    def idle(self) -> None:
        """Nothing is in flight, so no probe is."""
        self._probing = False

    def _is_probe(self, sent_s: float) -> bool:
        return self._probing and sent_s >= self.until_s
