"""Signals while a run is on: the way in which people and schedulers stop it."""

import os
import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from personastream.engine.stop import Stop
from personastream.errors import ExitCode

T = TypeVar("T")


async def until_told(carry: Callable[[Stop], Awaitable[T]]) -> T:
    """Carry something on that ends by itself, or by a `Stop` that signals work. Raises what it raises."""
    stop, failure = Stop(), None
    async with anyio.create_task_group() as around:
        around.start_soon(obey_signals, stop)
        try:
            result = await carry(stop)
        except Exception as error:  # passed on below: leaving the group with it would wrap it
            failure = error
        around.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return result


async def obey_signals(stop: Stop) -> None:
    """The first SIGTERM or SIGINT drains, the second aborts; a third one waits for nothing any more."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            if stop.aborting:
                os._exit(ExitCode.WORK_LEFT)  # a thread is stuck: no more is lost than by a kill
            elif stop.draining:
                stop.abort()
            else:
                stop.drain()
