"""The two ways to stop: drain (rows in flight finish) and abort (they are given up and asked again later)."""

import anyio

from personastream.errors import RunError


class Stop:
    """Asked to stop by signals, by a fault or by the caller. Create it inside the running event loop."""

    def __init__(self) -> None:
        self.failure: RunError | None = None
        self._draining = anyio.Event()
        self._aborting = anyio.Event()

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

    def fail(self, error: RunError) -> None:
        """Drain because the run cannot go on; the first error is the one reported."""
        self.failure = self.failure or error
        self.drain()

    def abort(self) -> None:
        """Give up the rows in flight; commit what is complete."""
        self._draining.set()
        self._aborting.set()

    async def wait_drain(self) -> None:
        """Return once a drain or an abort is asked for."""
        await self._draining.wait()

    async def wait_abort(self) -> None:
        """Return once an abort is asked for."""
        await self._aborting.wait()

    async def sleep(self, seconds: float) -> bool:
        """Sleep, but not past a drain. Returns whether the whole time has passed."""
        with anyio.move_on_after(seconds):
            await self._draining.wait()
            return False
        return True
