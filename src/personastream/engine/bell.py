"""Bell: wakes everybody who waits for the next ring, and costs nothing while nobody does."""

import anyio


class Bell:
    """There is no ring to come too late for: whoever calls `next` hears the first one after that."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event: anyio.Event | None = None

    def next(self) -> anyio.Event:
        """What the next ring sets."""
        if self._event is None:
            self._event = anyio.Event()
        return self._event

    def ring(self) -> None:
        """Wake all who wait."""
        if self._event is not None:
            self._event.set()
            self._event = None
