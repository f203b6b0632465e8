"""Requests and tokens (in, out, or both) per minute, held by aiolimiter's leaky buckets.

aiolimiter admits a full bucket at once and refills it meanwhile, serves small amounts before large ones, and refuses
amounts above the bucket. So: buckets of one second's worth, emptied at the start; one lock, first come first served;
large amounts taken in pieces. What is small against a second's worth is taken in blocks of 10 ms, so that a limit of
thousands a second costs next to nothing for each of them.
"""

import asyncio

from aiolimiter import AsyncLimiter

from personastream.ports import Tokens
from personastream.records import Request

CHARACTERS_PER_TOKEN = 4.0
"""A usual figure for English text, to begin with; answers tell what it is here."""
OUTPUT_TOKENS_FIRST_GUESS = 256.0
SMOOTHING = 0.05
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
    """All ceilings of one provider: requests, tokens together, input tokens, output tokens a minute; 0 means none."""

    def __init__(
        self, requests: float = 0, tokens: float = 0, input_tokens: float = 0, output_tokens: float = 0
    ) -> None:
        self._requests = PerMinute(requests) if requests else None
        weighed = ((tokens, 1, 1), (input_tokens, 1, 0), (output_tokens, 0, 1))
        self._buckets = [(PerMinute(limit), of_input, of_output) for limit, of_input, of_output in weighed if limit]
        self._turn = asyncio.Lock()
        self._tokens_per_character = 1 / CHARACTERS_PER_TOKEN
        self._output_tokens = OUTPUT_TOKENS_FIRST_GUESS
        self._in_flight = 0

    def take(self, request: Request) -> Tokens | None:
        """The tokens reserved, if this request can have its turn at once and nobody waits, else None."""
        requests = self._requests
        if self._turn.locked() or (requests is not None and not requests.has_in_hand(1.0)):
            return None
        guess = self._guess(request)
        for bucket, of_input, of_output in self._buckets:
            if not bucket.has_in_hand(of_input * guess.input + of_output * guess.output):
                return None
        if requests is not None:
            requests.use(1.0)
        for bucket, of_input, of_output in self._buckets:
            bucket.use(of_input * guess.input + of_output * guess.output)
        self._in_flight += 1
        return guess

    async def acquire(self, request: Request) -> Tokens:
        """Wait for this request's turn; returns the tokens reserved."""
        async with self._turn:
            guess = self._guess(request)  # not before: guesses grow old in the queue
            if self._requests is not None:
                await self._requests.acquire(1.0)
            for bucket, of_input, of_output in self._buckets:
                await bucket.acquire(of_input * guess.input + of_output * guess.output)
        self._in_flight += 1
        return guess

    def settle(self, reserved: Tokens, used: Tokens) -> None:
        """Replace the guess by what was used (nothing: the request failed)."""
        more_input, more_output = used.input - reserved.input, used.output - reserved.output
        if used.input or used.output:
            smoothing = min(SMOOTHING, SMOOTHING_IN_FLIGHT / max(1, self._in_flight))
            self._output_tokens = max(0.0, self._output_tokens + smoothing * more_output)
            if used.input and reserved.input:
                self._tokens_per_character *= 1 + smoothing * min(1.0, more_input / reserved.input)
        self._in_flight -= 1
        for bucket, of_input, of_output in self._buckets:
            bucket.settle(of_input * more_input + of_output * more_output)

    def _guess(self, request: Request) -> Tokens:
        return Tokens(request.characters * self._tokens_per_character, self._output_tokens)
