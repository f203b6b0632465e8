"""Requests and tokens per minute, held by aiolimiter's leaky buckets.

aiolimiter admits a full bucket at once and refills it meanwhile, serves small amounts before large ones, and refuses
amounts above the bucket. So: buckets of one second's worth, emptied at the start; one lock, first come first served;
large amounts taken in pieces.
"""

import asyncio

from aiolimiter import AsyncLimiter

from personastream.records import Request

BYTES_PER_TOKEN = 4.0
"""A usual estimate for English text; replaced by real counts when the answer comes."""
OUTPUT_TOKENS_FIRST_GUESS = 256.0
OUTPUT_SMOOTHING = 0.05


class PerMinute:
    """At most `limit` units in any 60 s, at most one second's worth at once. Use inside one running event loop."""

    def __init__(self, limit: float) -> None:
        self._piece = limit / 60
        rate_per_s = (limit - self._piece) / 60  # a full bucket and a minute's rate make the limit
        self._bucket = AsyncLimiter(self._piece, self._piece / rate_per_s)
        self._primed = False
        self._debt = 0.0

    async def acquire(self, amount: float) -> None:
        """Wait for `amount` units and whatever is owed; an amount above one second's worth is taken in pieces."""
        if not self._primed:
            self._primed = True
            await self._bucket.acquire(self._piece)
        rest, self._debt = amount + self._debt, 0.0
        if rest < 0:
            rest, self._debt = 0.0, max(rest, -self._piece)
        while rest > 0:
            piece = min(rest, self._piece)
            await self._bucket.acquire(piece)
            rest -= piece

    def settle(self, difference: float) -> None:
        """Correct an earlier amount: what was used too much is owed, what was spared is credited (at most 1 s)."""
        self._debt = max(-self._piece, self._debt + difference)


class ProviderLimit:
    """Both ceilings of one provider; 0 means none."""

    def __init__(self, requests_per_minute: float, tokens_per_minute: float) -> None:
        self._requests = PerMinute(requests_per_minute) if requests_per_minute else None
        self._tokens = PerMinute(tokens_per_minute) if tokens_per_minute else None
        self._turn = asyncio.Lock()
        self._output_tokens = OUTPUT_TOKENS_FIRST_GUESS

    async def acquire(self, request: Request) -> float:
        """Wait for this request's turn; returns the tokens reserved."""
        input_tokens = (len(request.system) + len(request.user)) / BYTES_PER_TOKEN
        reserved = input_tokens + self._output_tokens
        async with self._turn:
            if self._requests is not None:
                await self._requests.acquire(1.0)
            if self._tokens is not None:
                await self._tokens.acquire(reserved)
        return reserved

    def settle(self, reserved: float, used: int) -> None:
        """Replace the estimate by what was used (0: the request failed, nothing was used)."""
        if used:
            seen = max(0.0, self._output_tokens + used - reserved)
            self._output_tokens += OUTPUT_SMOOTHING * (seen - self._output_tokens)
        if self._tokens is not None:
            self._tokens.settle(used - reserved)
