"""Requests and tokens (in, out, or both) per minute, held by aiolimiter's leaky buckets, which say when there is room.

Nobody waits inside: whose turn it is when there is room, the queue before the endpoint decides, so that a change of the
limit, of a job's priority or of its mind is felt at once. aiolimiter admits a full bucket at once and refills it
meanwhile, and refuses amounts above the bucket. So: buckets of one second's worth, emptied at the start; large amounts
saved up for in pieces. What is small against a second's worth is let through in blocks of 10 ms, so that a limit of
thousands a second costs next to nothing for each of them.
"""

from aiolimiter import AsyncLimiter

from personastream.core.ceilings import Ceilings
from personastream.ports import NO_TOKENS, Tokens
from personastream.records import Request

CHARACTERS_PER_TOKEN = 4.0
"""A usual figure for English text, to begin with; answers tell what it is here."""
OUTPUT_TOKENS_FIRST_GUESS = 256.0
SMOOTHING = 0.05
SMOOTHING_IN_FLIGHT = 0.3
"""Answers are measured against guesses that are as many answers old as requests are under way: a controller with a
delay, which swings up for ever unless its gain times the delay stays well below pi/2."""
FEW_IN_FLIGHT = SMOOTHING_IN_FLIGHT / SMOOTHING
BLOCK_S = 0.01
WAIT_S_MIN, WAIT_S_MAX = 0.001, 0.5
"""A bucket runs over after a second: it has to be looked at before."""
ROUNDING = 1e-9
"""What is so little short of an amount is enough: sums of floats are not exact."""


class PerMinute:
    """At most `limit` units in any 60 s, at most one second's worth at once. Use inside one running event loop."""

    def __init__(self, limit: float) -> None:
        self._in_hand = 0.0  # taken from the bucket and not used; below 0: used and still to be taken
        self.change(limit)

    def change(self, limit: float) -> None:
        """From now on the limit is another one, with an empty bucket. What is owed stays owed."""
        second = limit / 60
        self._block = second * BLOCK_S
        self._size = second - self._block
        self._rate = (limit - second) / 60  # a full bucket, a block in hand and a minute's rate make the limit
        self._bucket = AsyncLimiter(self._size, self._size / self._rate)
        self._emptied = False

    def wait_s(self, amount: float) -> float:
        """Seconds after which to ask again; 0: `amount` units may be used now."""
        missing = amount * (1.0 - ROUNDING) - self._in_hand
        if missing <= 0.0:  # nearly always, where the limit is high
            most = self._size + self._block
            if self._in_hand > most > amount:  # what somebody saved up who has gone is worth a second
                self._in_hand = most
            return 0.0
        missing -= self._draw(max(missing, self._block))
        return 0.0 if missing <= 0.0 else min(WAIT_S_MAX, max(WAIT_S_MIN, missing / self._rate))

    def use(self, amount: float) -> None:
        """Use units, whether they are there or not."""
        self._in_hand -= amount

    def settle(self, difference: float) -> None:
        """Correct an earlier amount: what was used too much is owed, what was spared is credited (at most 1 s)."""
        most = self._size + self._block
        in_hand = self._in_hand - difference
        self._in_hand = in_hand if in_hand <= most else max(self._in_hand, most)

    def _draw(self, wanted: float) -> float:
        """Take up to so much out of the bucket, to within a block; how much that was."""
        bucket, drawn, piece = self._bucket, 0.0, self._size
        if not self._emptied:
            self._emptied = True
            _take(bucket, piece)
        while piece >= self._block and drawn < wanted:
            amount = min(piece, max(self._block, wanted - drawn))
            if bucket.has_capacity(amount):
                _take(bucket, amount)
                drawn += amount
            else:
                piece /= 2
        self._in_hand += drawn
        return drawn


def _take(bucket: AsyncLimiter, amount: float) -> None:
    """Take what the bucket has room for: its coroutine ends without having waited."""
    try:
        bucket.acquire(amount).send(None)
    except StopIteration:
        return
    raise RuntimeError("a bucket with room has made its taker wait")


class ProviderLimit:
    """All ceilings a minute of one provider: requests, tokens together, input tokens, output tokens.

    `bounds` tells whether there are any: if not, nothing but `change` need be called.
    """

    def __init__(self, ceilings: Ceilings, now_s: float) -> None:
        self.bounds = False
        self._buckets: list[tuple[str, PerMinute, int, int, int]] = []
        self._tokens_per_character = 1 / CHARACTERS_PER_TOKEN
        self._output_tokens = OUTPUT_TOKENS_FIRST_GUESS
        self._in_flight = 0
        self._asked: Request | None = None  # with what was guessed for it, as who asks takes it next
        self._guessed = NO_TOKENS
        self.change(ceilings, now_s)

    def change(self, ceilings: Ceilings, now_s: float) -> None:
        """From now on these are the ceilings. A new one begins with an empty bucket."""
        known = {name: bucket for name, bucket, *_ in self._buckets}
        self._buckets = []
        for name, weights in _WEIGHTS.items():
            limit = getattr(ceilings, name)
            if not limit:
                continue
            bucket = known.get(name)
            if bucket is None:
                bucket = PerMinute(limit)
            else:
                bucket.change(limit)
            self._buckets.append((name, bucket, *weights))
        self.bounds = bool(self._buckets)

    def wait_s(self, request: Request, now_s: float) -> float:
        """Seconds until this request may be sent, if no other is meanwhile; 0: now."""
        self._guess(request)
        of_prompt, of_reply = self._guessed
        longest_s = 0.0
        for _, bucket, of_requests, of_input, of_output in self._buckets:
            wait_s = bucket.wait_s(of_requests + of_input * of_prompt + of_output * of_reply)
            if wait_s > longest_s:
                longest_s = wait_s
        return longest_s

    def take(self, request: Request) -> Tokens:
        """The request is sent; the tokens reserved for it, to be handed to `settle`."""
        if request is not self._asked:
            self._guess(request)
        of_prompt, of_reply = self._guessed
        for _, bucket, of_requests, of_input, of_output in self._buckets:
            bucket.use(of_requests + of_input * of_prompt + of_output * of_reply)
        self._in_flight += 1
        return self._guessed

    def settle(self, reserved: Tokens, used: Tokens) -> None:
        """Replace the guess by what was used (nothing: the request failed)."""
        more_input, more_output = used.input - reserved.input, used.output - reserved.output
        if used.input or used.output:
            smoothing = SMOOTHING_IN_FLIGHT / self._in_flight if self._in_flight > FEW_IN_FLIGHT else SMOOTHING
            self._output_tokens = max(0.0, self._output_tokens + smoothing * more_output)
            if used.input and reserved.input:
                self._tokens_per_character *= 1 + smoothing * min(1.0, more_input / reserved.input)
        self._in_flight -= 1
        for _, bucket, _, of_input, of_output in self._buckets:
            if of_input or of_output:
                bucket.settle(of_input * more_input + of_output * more_output)

    def _guess(self, request: Request) -> None:
        self._asked = request
        self._guessed = Tokens(request.characters * self._tokens_per_character, self._output_tokens)


_WEIGHTS = {
    "requests_per_minute": (1, 0, 0),
    "tokens_per_minute": (0, 1, 1),
    "input_tokens_per_minute": (0, 1, 0),
    "output_tokens_per_minute": (0, 0, 1),
}
"""How much of each ceiling a request takes: for itself, for a token of its prompt, for one of its reply."""
