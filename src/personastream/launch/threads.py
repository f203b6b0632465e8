"""Blocking steps of a run in an event loop that others share: they happen in threads, each to its end."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from typing import TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")


@asynccontextmanager
async def entered(block: AbstractContextManager[T]) -> AsyncIterator[T]:
    """Enter and leave in a thread. What was entered is left on every way out, also when this is cancelled meanwhile."""
    with anyio.CancelScope(shield=True):
        value = await anyio.to_thread.run_sync(block.__enter__)
    try:
        await anyio.lowlevel.checkpoint_if_cancelled()
        yield value
    except BaseException as error:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(block.__exit__, type(error), error, error.__traceback__)
        raise
    with anyio.CancelScope(shield=True):
        await anyio.to_thread.run_sync(block.__exit__, None, None, None)
