"""The life of one batch of requests, whichever API it came by. Pure: nothing happens but in `advance`.

A tenth of its time goes to validating, eight to answering the rows one by one in shuffled order, the last to
finalizing. It may be cancelled, and it expires; what was answered by then stays answered.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from personastream.simulator.draws import FOR_ORDER, draw

VALIDATING_SHARE, FINALIZING_SHARE = 0.1, 0.1


class Phase(Enum):
    """Where a batch stands; the values are OpenAI's names."""

    VALIDATING = "validating"
    FAILED = "failed"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


ENDS = {Phase.FAILED, Phase.COMPLETED, Phase.EXPIRED, Phase.CANCELLED}


@dataclass(slots=True, kw_only=True)
class BatchRun:
    """A batch created at `created_s` that takes `latency_s` and lives for `window_s` at most.

    `answer` is called for each place in `order` when its time has come. A batch that is not `valid` fails.
    """

    created_s: float
    latency_s: float
    window_s: float
    order: Sequence[int]
    answer: Callable[[int], None]
    valid: bool = True
    answered: int = 0
    cancelled_s: float | None = field(default=None, init=False)

    @property
    def _start_s(self) -> float:
        return self.created_s + VALIDATING_SHARE * self.latency_s

    @property
    def _finish_s(self) -> float:
        return self.created_s + (1 - FINALIZING_SHARE) * self.latency_s

    @property
    def _stop_s(self) -> float:
        """When the last row is answered that ever will be."""
        stops = [self._finish_s, self.created_s + self.window_s]
        return min(stops if self.cancelled_s is None else [*stops, self.cancelled_s])

    def moments(self) -> dict[Phase, float]:
        """When each phase of its life begins or will begin, as it looks now, in order."""
        moments = {Phase.VALIDATING: self.created_s}
        pause_s = FINALIZING_SHARE * self.latency_s
        if not self.valid:
            return moments | {Phase.FAILED: self._start_s}
        stop_s = self._stop_s
        if self._start_s <= stop_s:
            moments[Phase.IN_PROGRESS] = self._start_s
        if stop_s == self._finish_s:
            return moments | {Phase.FINALIZING: stop_s, Phase.COMPLETED: self.created_s + self.latency_s}
        if stop_s == self.cancelled_s:
            return moments | {Phase.CANCELLING: stop_s, Phase.CANCELLED: stop_s + pause_s}
        return moments | {Phase.EXPIRED: stop_s}

    def phase(self, now_s: float) -> Phase:
        """Where it stands."""
        return [phase for phase, at_s in self.moments().items() if at_s <= now_s][-1]

    def cancel(self, now_s: float) -> bool:
        """Cancel it, unless it has ended: then false."""
        if self.phase(now_s) in ENDS:
            return False
        if self.cancelled_s is None:
            self.cancelled_s = now_s
        return True

    def advance(self, now_s: float) -> None:
        """Answer the rows whose time has come."""
        if not self.valid or now_s < self._start_s:
            return
        working_s = self._finish_s - self._start_s
        worked_s = min(now_s, self._stop_s) - self._start_s
        share = 1.0 if working_s <= 0 else max(0.0, worked_s / working_s)
        due = int(share * len(self.order) + 1e-6)  # half of the time is half of the rows, whatever rounding says
        while self.answered < due:
            place = self.order[self.answered]
            self.answered += 1
            self.answer(place)


def shuffled(count: int, number: int, seed: int) -> list[int]:
    """The numbers below `count` in an order that depends on the other two."""
    return sorted(range(count), key=lambda place: draw(place, FOR_ORDER + number, seed))
