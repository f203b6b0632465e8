"""An asyncio event loop whose clock jumps to the next timer instead of waiting: for asyncio code that keeps time."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

ROUND_S = 1e-7
"""What a turn of the loop takes: no clock stands still, and timers computed in floats rely on that."""


class _NoWait(selectors.DefaultSelector):
    """Counts the time that the loop wants to wait, and does not."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if not events and timeout is None:
            raise RuntimeError("everything waits, and no timer is set")
        self.now_s += ROUND_S if events else max(ROUND_S, timeout or 0.0)
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """Nothing really sleeps. Threads and other processes must not be waited for."""

    def __init__(self) -> None:
        self._clock = _NoWait()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now_s


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end on a virtual clock that starts at 0."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
