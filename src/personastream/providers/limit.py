"""Requests and tokens (in, out, or both) per minute, as leaky buckets that say when there is room. Pure: time is given.

Nobody waits inside: whose turn it is when there is room, the queue before the endpoint decides, so that a change of the
limit, of a job's priority or of its mind is felt at once. No minute sees more than the limit: a bucket holds one
second's worth, is empty at the start, and fills by what is left of the limit. A larger amount is saved up for. What is
small against a second's worth is let through in blocks of 10 ms, so that a limit of thousands a second costs next to
nothing for each of them.
"""

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
WAIT_S_MIN = 0.001
ROUNDING = 1e-9
"""A bucket that is so little short of an amount holds it: sums of floats are not exact."""


class PerMinute:
    """At most `limit` units in any 60 s, at most one second's worth at once. Times are those of one monotonic clock."""

    def __init__(self, limit: float, now_s: float) -> None:
        self._level, self._filled_s = 0.0, now_s  # below 0: used and still owed
        self._saving = 0.0  # what somebody waits for, if it is more than a bucket holds
        self._set(limit)

    def wait_s(self, amount: float, now_s: float) -> float:
        """Seconds until `amount` units may be used; 0: now."""
        if self._level >= amount and now_s - self._filled_s < BLOCK_S:
            return 0.0  # nearly always, where the limit is high
        self._fill(now_s)
        if self._level >= amount * (1.0 - ROUNDING):
            return 0.0
        self._saving = amount
        return max(WAIT_S_MIN, (max(amount, self._block) - self._level) / self._rate)

    def use(self, amount: float) -> None:
        """Use units, whether they are there or not."""
        self._level -= amount
        self._saving = 0.0

    def settle(self, difference: float) -> None:
        """Correct an earlier amount: what was used too much is owed, what was spared is credited (at most 1 s)."""
        most = self._size + self._block
        level = self._level - difference
        self._level = level if level <= most else max(self._level, most)

    def change(self, limit: float, now_s: float) -> None:
        """From now on the limit is another one. What is owed stays owed."""
        self._fill(now_s)
        self._set(limit)
        self._level = min(self._level, self._size)

    def _set(self, limit: float) -> None:
        second = limit / 60
        self._block = second * BLOCK_S
        self._size = second - self._block
        self._rate = (limit - second) / 60  # a full bucket, a block that is late and a minute's rate make the limit

    def _fill(self, now_s: float) -> None:
        elapsed_s = now_s - self._filled_s
        if elapsed_s > 0.0:
            self._filled_s = now_s
            most = max(self._size, self._saving)
            if self._level < most:
                self._level = min(most, self._level + elapsed_s * self._rate)


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
                bucket = PerMinute(limit, now_s)
            else:
                bucket.change(limit, now_s)
            self._buckets.append((name, bucket, *weights))
        self.bounds = bool(self._buckets)

    def wait_s(self, request: Request, now_s: float) -> float:
        """Seconds until this request may be sent, if no other is meanwhile; 0: now."""
        self._guess(request)
        of_prompt, of_reply = self._guessed
        longest_s = 0.0
        for _, bucket, of_requests, of_input, of_output in self._buckets:
            wait_s = bucket.wait_s(of_requests + of_input * of_prompt + of_output * of_reply, now_s)
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
