"""What the project's pacing is compared with: a fixed number in flight, and a well-known way to adapt it.

`Aimd` is written after the published description of NVIDIA's DataDesigner: a refusal lowers the number in flight by a
quarter, once in a row of refusals, and the endpoint rests for 2 s; 25 answers raise it by one. It never rises above
1.1 times the lowest number at which it was refused.
"""

import heapq
import math
from collections.abc import Mapping

FIXED_REST_S = 1.0
AIMD_DECREASE = 0.75
AIMD_ANSWERS = 25
AIMD_REST_S = 2.0
AIMD_HEADROOM = 1.1


class Fixed:
    """As many workers as may be in flight; each rests for a second after a refusal, or for as long as it is told."""

    def __init__(self, in_flight_max: int) -> None:
        self.limit = in_flight_max
        self._resting: list[float] = []

    def wait_s(self, now_s: float, in_flight: int) -> float:
        while self._resting and self._resting[0] <= now_s:
            heapq.heappop(self._resting)
        if in_flight + len(self._resting) < self.limit:
            return 0.0
        return self._resting[0] - now_s if self._resting else math.inf

    def sent(self, now_s: float) -> None:
        pass

    def answered(self, now_s: float, sent_s: float, output_tokens: int, headers: Mapping[str, str] | None) -> None:
        pass

    def throttled(self, now_s: float, sent_s: float, pause_s: float | None) -> None:
        heapq.heappush(self._resting, now_s + (FIXED_REST_S if pause_s is None else pause_s))


class Aimd:
    """Additive increase and multiplicative decrease of the number in flight, driven by refusals alone."""

    def __init__(self, in_flight_max: int) -> None:
        self.limit = in_flight_max
        self._ceiling = float(in_flight_max)
        self._answers = 0
        self._in_cascade = False
        self._open_s = -math.inf

    def wait_s(self, now_s: float, in_flight: int) -> float:
        if in_flight >= self.limit:
            return math.inf
        return max(0.0, self._open_s - now_s)

    def sent(self, now_s: float) -> None:
        pass

    def answered(self, now_s: float, sent_s: float, output_tokens: int, headers: Mapping[str, str] | None) -> None:
        self._in_cascade = False
        self._answers += 1
        if self._answers >= AIMD_ANSWERS and self.limit + 1 <= self._ceiling:
            self._answers = 0
            self.limit += 1

    def throttled(self, now_s: float, sent_s: float, pause_s: float | None) -> None:
        self._answers = 0
        self._open_s = max(self._open_s, now_s + (AIMD_REST_S if pause_s is None else pause_s))
        if self._in_cascade:
            return
        self._in_cascade = True
        self._ceiling = min(self._ceiling, self.limit) * AIMD_HEADROOM
        self.limit = max(1, int(self.limit * AIMD_DECREASE))
