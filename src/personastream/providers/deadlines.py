"""Deadlines for thousands of attempts at once, all equally patient, by one timer.

A timer for each attempt, as `asyncio.timeout` sets one, costs a tenth of what the whole request does. As all have the
same patience, the oldest one ends first: one timer for that one will do, and nearly always it has ended by then.
"""

import asyncio
from types import TracebackType


class Deadlines:
    """Attempts of `timeout_s` seconds each. Use inside one running event loop."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._under_way: dict[Deadline, None] = {}  # in the order in which they end
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def __call__(self) -> "Deadline":
        """A context for one attempt: it is cancelled and raises `TimeoutError` when its time is over."""
        return Deadline(self)

    def close(self) -> None:
        """Watch no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def begin(self, deadline: "Deadline") -> None:
        """Watch one more."""
        deadline.ends_s = self._loop.time() + self._timeout_s
        self._under_way[deadline] = None
        if self._timer is None:
            self._timer = self._loop.call_at(deadline.ends_s, self._look)

    def end(self, deadline: "Deadline") -> None:
        """Watch one less."""
        del self._under_way[deadline]

    def _look(self) -> None:
        """Cancel what has had its time; look again when the next one has."""
        now_s, self._timer = self._loop.time(), None
        for deadline in self._under_way:
            if deadline.ends_s > now_s:
                self._timer = self._loop.call_at(deadline.ends_s, self._look)
                return
            deadline.expire()


class Deadline:
    """One attempt in one task."""

    __slots__ = ("_all", "_cancelling", "_expired", "_task", "ends_s")

    def __init__(self, deadlines: Deadlines) -> None:
        self._all = deadlines
        self._expired = False
        self.ends_s = 0.0

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("an attempt belongs to a task")
        self._task, self._cancelling = task, task.cancelling()
        self._all.begin(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._all.end(self)
        # Somebody else may have cancelled the task as well: that goes before.
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def expire(self) -> None:
        """Its time is over."""
        if not self._expired:
            self._expired = True
            self._task.cancel()
