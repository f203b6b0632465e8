"""A batch in real time: calls back when a sequence has ended."""

import asyncio
from collections.abc import Callable
from itertools import count
from time import monotonic

from personastream.simulator.batching import Batch

PAUSE_S_MIN = 0.0005
"""A timer may come a little early; so it does not come again and again."""


class Queueing:
    """Drives a `Batch` by the monotonic clock."""

    def __init__(self, batch: Batch, loop: asyncio.AbstractEventLoop) -> None:
        self._batch = batch
        self._loop = loop
        self._tickets = count()
        self._done: dict[int, Callable[[], None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, tokens: int, done: Callable[[], None]) -> int:
        """Put a sequence in; `done` is called when it has ended. Returns its ticket."""
        self.catch_up()
        ticket = next(self._tickets)
        self._done[ticket] = done
        self._batch.add(ticket, tokens, monotonic())
        self.set_timer()
        return ticket

    def remove(self, ticket: int) -> None:
        """Take out a sequence whose client is gone; it is not called back, even if it has just ended."""
        del self._done[ticket]
        if ticket not in self.catch_up():
            self._batch.remove(ticket)
        self.set_timer()

    def catch_up(self) -> list[int]:
        """Let end what has ended by now; returns the tickets."""
        ended = self._batch.finished(monotonic())
        for ticket in ended:
            if done := self._done.pop(ticket, None):
                done()
        return ended

    def _on_time(self) -> None:
        self._timer = None
        self.catch_up()
        self.set_timer()

    def set_timer(self) -> None:
        """Wake up when the next sequence ends."""
        if self._timer is not None:
            self._timer.cancel()
        next_s = self._batch.next_s()
        pause_s = 0.0 if next_s is None else max(PAUSE_S_MIN, next_s - monotonic())
        self._timer = None if next_s is None else self._loop.call_later(pause_s, self._on_time)
