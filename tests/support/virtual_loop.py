"""An asyncio event loop whose clock jumps to the next timer instead of waiting: for asyncio code that keeps time."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _NoWait(selectors.DefaultSelector):  # type: ignore[misc, valid-type] # it is chosen per platform
    """Counts the time that the loop wants to wait, and does not."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if not events and timeout is None:
            raise RuntimeError("everything waits, and no timer is set")
        if not events and timeout:
            self.now_s += timeout
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
