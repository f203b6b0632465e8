"""Requests and tokens per minute, held by aiolimiter's leaky buckets.

aiolimiter admits a full bucket at once and refills it meanwhile, serves small amounts before large ones, and refuses
amounts above the bucket. So: buckets of one second's worth, emptied at the start; one lock, first come first served;
large amounts taken in pieces. What is small against a second's worth is taken in blocks of 10 ms, so that a limit of
thousands a second costs next to nothing for each of them.
"""

import asyncio

from aiolimiter import AsyncLimiter

from personastream.records import Request

BYTES_PER_TOKEN = 4.0
"""A usual estimate for English text; replaced by real counts when the answer comes."""
OUTPUT_TOKENS_FIRST_GUESS = 256.0
OUTPUT_SMOOTHING = 0.05
SMOOTHING_IN_FLIGHT = 0.3
"""Answers are measured against guesses that are as many answers old as requests are under way: a controller with a
delay, which swings up for ever unless its gain times the delay stays well below pi/2."""
BLOCK_S = 0.01


class PerMinute:
    """At most `limit` units in any 60 s, at most one second's worth at once. Use inside one running event loop."""

    def __init__(self, limit: float) -> None:
        second = limit / 60
        self._block = second * BLOCK_S
        self._piece = second - self._block
        rate_per_s = (limit - second) / 60  # a full bucket, a block in hand and a minute's rate make the limit
        self._bucket = AsyncLimiter(self._piece, self._piece / rate_per_s)
        self._primed = False
        self._in_hand = 0.0  # taken from the bucket and not used; below 0: used and still to be taken

    def has_in_hand(self, amount: float) -> bool:
        """Whether `amount` units can be used without going to the bucket."""
        return amount <= self._in_hand

    def use(self, amount: float) -> None:
        """Use units that are in hand."""
        self._in_hand -= amount

    async def acquire(self, amount: float) -> None:
        """Wait for `amount` units and whatever is owed; an amount above one second's worth is taken in pieces."""
        if not self._primed:
            self._primed = True
            await self._bucket.acquire(self._piece)
        rest, self._in_hand = amount - self._in_hand, 0.0
        if 0 < rest < self._block:
            rest, self._in_hand = self._block, self._block - rest
        elif rest < 0:
            self._in_hand = -rest
        while rest > 0:
            piece = min(rest, self._piece)
            await self._bucket.acquire(piece)
            rest -= piece

    def settle(self, difference: float) -> None:
        """Correct an earlier amount: what was used too much is owed, what was spared is credited (at most 1 s)."""
        self._in_hand = min(self._piece + self._block, self._in_hand - difference)


class ProviderLimit:
    """Both ceilings of one provider; 0 means none."""

    def __init__(self, requests_per_minute: float, tokens_per_minute: float) -> None:
        self._requests = PerMinute(requests_per_minute) if requests_per_minute else None
        self._tokens = PerMinute(tokens_per_minute) if tokens_per_minute else None
        self._turn = asyncio.Lock()
        self._output_tokens = OUTPUT_TOKENS_FIRST_GUESS
        self._in_flight = 0

    def take(self, request: Request) -> float | None:
        """The tokens reserved, if this request can have its turn at once and nobody waits, else None."""
        tokens = self._estimate(request)
        if (
            self._turn.locked()
            or (self._requests is not None and not self._requests.has_in_hand(1.0))
            or (self._tokens is not None and not self._tokens.has_in_hand(tokens))
        ):
            return None
        if self._requests is not None:
            self._requests.use(1.0)
        if self._tokens is not None:
            self._tokens.use(tokens)
        self._in_flight += 1
        return tokens

    async def acquire(self, request: Request) -> float:
        """Wait for this request's turn; returns the tokens reserved."""
        async with self._turn:
            reserved = self._estimate(request)  # not before: guesses grow old in the queue
            if self._requests is not None:
                await self._requests.acquire(1.0)
            if self._tokens is not None:
                await self._tokens.acquire(reserved)
        self._in_flight += 1
        return reserved

    def settle(self, reserved: float, used: int) -> None:
        """Replace the estimate by what was used (0: the request failed, nothing was used)."""
        if used:
            smoothing = min(OUTPUT_SMOOTHING, SMOOTHING_IN_FLIGHT / max(1, self._in_flight))
            self._output_tokens = max(0.0, self._output_tokens + smoothing * (used - reserved))
        self._in_flight -= 1
        if self._tokens is not None:
            self._tokens.settle(used - reserved)

    def _estimate(self, request: Request) -> float:
        return (len(request.system) + len(request.user)) / BYTES_PER_TOKEN + self._output_tokens
