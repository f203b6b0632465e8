"""The two ways to stop: drain (rows in flight finish) and abort (they are given up and asked again later)."""

from collections.abc import Iterator
from contextlib import contextmanager

import anyio

from personastream.errors import RunError


class Stop:
    """Asked to stop by signals, by a fault or by the caller. Create it inside the running event loop."""

    def __init__(self) -> None:
        self.failure: RunError | None = None
        self._draining = anyio.Event()
        self._aborting = anyio.Event()
        self._waits: set[anyio.CancelScope] = set()

    @property
    def draining(self) -> bool:
        """Whether no further row is to be started."""
        return self._draining.is_set()

    @property
    def aborting(self) -> bool:
        """Whether rows in flight are to be given up."""
        return self._aborting.is_set()

    def drain(self) -> None:
        """Start no further row; let those in flight finish."""
        self._draining.set()
        for scope in self._waits:
            scope.cancel()

    def fail(self, error: RunError) -> None:
        """Drain because the run cannot go on; the first error is the one reported."""
        self.failure = self.failure or error
        self.drain()

    def abort(self) -> None:
        """Give up the rows in flight; commit what is complete."""
        self.drain()
        self._aborting.set()

    async def wait_drain(self) -> None:
        """Return once a drain or an abort is asked for."""
        await self._draining.wait()

    async def wait_abort(self) -> None:
        """Return once an abort is asked for."""
        await self._aborting.wait()

    @contextmanager
    def not_past_drain(self) -> Iterator[anyio.CancelScope]:
        """Cut short what waits inside as soon as a drain is asked for; the scope's `cancelled_caught` tells."""
        with anyio.CancelScope() as scope:
            if self.draining:
                scope.cancel()
            self._waits.add(scope)
            try:
                yield scope
            finally:
                self._waits.discard(scope)

    async def sleep(self, seconds: float) -> bool:
        """Sleep, but not past a drain. Returns whether the whole time has passed."""
        with self.not_past_drain() as scope:
            await anyio.sleep(seconds)
        return not scope.cancelled_caught
