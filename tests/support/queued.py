"""Limits behind a queue, first come, first served, on a virtual clock: what the pool does, and nothing else."""

import asyncio
from contextlib import suppress

from personastream.core.ceilings import Ceilings
from personastream.ports import Tokens
from personastream.providers.limit import PerMinute, ProviderLimit
from personastream.records import Request


def now_s() -> float:
    return asyncio.get_running_loop().time()


class QueuedBucket:
    """One ceiling."""

    def __init__(self, limit: float) -> None:
        self.bucket = PerMinute(limit, 0.0)
        self._turn = asyncio.Lock()

    async def acquire(self, amount: float) -> None:
        async with self._turn:
            while wait_s := self.bucket.wait_s(amount, now_s()):  # noqa: ASYNC110 - it is time that is waited for
                await asyncio.sleep(wait_s)
            self.bucket.use(amount)

    def settle(self, difference: float) -> None:
        self.bucket.settle(difference)


class QueuedLimit:
    """All ceilings a minute of one provider."""

    def __init__(
        self, requests: float = 0, tokens: float = 0, input_tokens: float = 0, output_tokens: float = 0
    ) -> None:
        self.limit = ProviderLimit(Ceilings(10_000, requests, tokens, input_tokens, output_tokens), 0.0)
        self._turn = asyncio.Lock()
        self._settled = asyncio.Event()

    async def acquire(self, request: Request) -> Tokens:
        async with self._turn:
            while wait_s := self.limit.wait_s(request, now_s()):
                self._settled.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._settled.wait()
            return self.limit.take(request)

    def settle(self, reserved: Tokens, used: Tokens) -> None:
        self.limit.settle(reserved, used)
        self._settled.set()
