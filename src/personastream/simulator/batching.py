"""Continuous batching as an inference server does it: so many slots, a queue, and steps that all sequences share.

Every step gives each running sequence one token and takes longer the more there are; a sequence that ends makes room
for the first that waits. Steps are treated as a fluid: sequences progress at the same rate all the time. The default
step times are those of a mid-sized model on one accelerator. Pure: time is an argument.
"""

from collections import deque
from heapq import heappop, heappush


class Batch:
    """Sequences by ticket, any number that the caller uses once. Times are seconds on a clock that never goes back."""

    def __init__(self) -> None:
        self.running = 0
        self.waiting = 0
        self._slots = self._queue_max = 0
        self._step_s, self._growth_s = 1.0, 0.0
        self._steps, self._at_s = 0.0, 0.0
        self._ends: list[tuple[float, int]] = []
        self._queue: deque[tuple[int, int]] = deque()
        self._live: dict[int, bool] = {}  # by ticket: whether it runs

    def change(self, *, slots: int, queue_max: int, step_s: float, growth_s: float) -> None:
        """Set the slots, how many may wait (0: any number), a step's time and what each sequence adds to it.

        Sequences that run keep their slots. Call `finished` before.
        """
        self._slots, self._queue_max, self._step_s, self._growth_s = slots, queue_max, step_s, growth_s
        self._fill()

    def is_full(self) -> bool:
        """Whether another sequence would be one too many."""
        return 0 < self._queue_max <= self.waiting and self.running >= self._slots

    def add(self, ticket: int, tokens: int, now_s: float) -> None:
        """Let a sequence of so many tokens run or wait. Call `finished` before, with the same time."""
        if not self.running:
            self._at_s = max(self._at_s, now_s)
        self._live[ticket] = False
        self._queue.append((ticket, tokens))
        self.waiting += 1
        self._fill()

    def remove(self, ticket: int) -> None:
        """Take out a sequence that has not finished. Call `finished` before."""
        if self._live.pop(ticket):
            self.running -= 1
            self._fill()
        else:
            self.waiting -= 1

    def finished(self, now_s: float) -> list[int]:
        """Let time go on to `now_s`; the tickets of what has ended meanwhile, in that order."""
        done = []
        while self._skip_removed():
            end, ticket = self._ends[0]
            at_s = self._at_s + (end - self._steps) * self._step()
            if at_s > now_s:
                self._steps += max(0.0, now_s - self._at_s) / self._step()
                break
            heappop(self._ends)
            self._at_s, self._steps = at_s, end
            del self._live[ticket]
            self.running -= 1
            done.append(ticket)
            self._fill()
        self._at_s = max(self._at_s, now_s)
        return done

    def next_s(self) -> float | None:
        """When the next sequence ends, if none comes or goes before; None if nothing runs."""
        if not self._skip_removed():
            return None
        return self._at_s + (self._ends[0][0] - self._steps) * self._step()

    def _step(self) -> float:
        return self._step_s + self._growth_s * self.running

    def _skip_removed(self) -> bool:
        while self._ends and self._ends[0][1] not in self._live:
            heappop(self._ends)
        return bool(self._ends)

    def _fill(self) -> None:
        while self._queue and self.running < self._slots:
            ticket, tokens = self._queue.popleft()
            if ticket in self._live:
                self._live[ticket] = True
                self.waiting -= 1
                self.running += 1
                heappush(self._ends, (self._steps + tokens, ticket))
