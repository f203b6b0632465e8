"""Signals while a run is on: the way in which people and schedulers stop it."""

import signal

import anyio

from personastream.engine.stop import Stop


async def obey_signals(stop: Stop) -> None:
    """The first SIGTERM or SIGINT drains, the second aborts."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            if stop.draining:
                stop.abort()
            else:
                stop.drain()
