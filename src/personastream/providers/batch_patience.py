"""Calls about batches are made until they are heard: a service that is away for a while still has the batches."""

import math
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from personastream.errors import NotFound, Refused, Throttled, Unauthorized, Unavailable, Unreachable

T = TypeVar("T")

RETRY_S, RETRY_S_MAX = 1.0, 300.0


async def until_heard(
    call: Callable[[], Awaitable[T]], *, lost_hint: str, pause_s: float = RETRY_S, tries: float = math.inf
) -> T:
    """What a call returns, after pauses that start with `pause_s` or less and double.

    After so many `tries` raises `Unreachable`, or the last `Throttled`. Raises `Unauthorized`, with `lost_hint`, where
    trying is no use.
    """
    pause_s = min(RETRY_S, pause_s)
    while True:
        try:
            return await call()
        except (Unavailable, Unreachable, Throttled) as error:
            tries -= 1
            if not tries:
                words = f"no batch can be made: {error.message}"
                raise error if isinstance(error, Throttled) else Unreachable(words) from error
            wanted_s = (isinstance(error, Throttled) and error.retry_after_s) or 0.0
            await anyio.sleep(min(RETRY_S_MAX, max(pause_s, wanted_s)))
            pause_s = min(RETRY_S_MAX, 2 * pause_s)
        except (NotFound, Refused) as error:
            raise Unauthorized(error.message, hint=lost_hint) from error
