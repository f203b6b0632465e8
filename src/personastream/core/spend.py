"""What requests cost, in whole billionths of a currency unit, so that sums are exact and never below the truth."""

import math

from personastream.errors import ConfigError
from personastream.records import Completion, Prices, Request

NANOS = 1_000_000_000
MESSAGE_TOKENS = 64
"""More than any chat format adds to a prompt's own text."""


def spend_nanos(prices: Prices, completion: Completion) -> int:
    """What the endpoint charges for a completion, rounded up. Prices are per million tokens."""
    cached = min(completion.cached_tokens, completion.input_tokens)
    millionths = (
        (completion.input_tokens - cached) * prices.input
        + cached * prices.cached_input
        + completion.output_tokens * prices.output
    )
    return math.ceil(millionths * 1000)


def most_nanos(prices: Prices, request: Request) -> int:
    """The most that a request can cost: no token is shorter than a byte, and no reply longer than `max_tokens`.

    Raises `ConfigError` for a request that sets no `max_tokens`: nothing bounds its reply.
    """
    output_tokens = request.parameters.get("max_tokens")
    if not isinstance(output_tokens, int):
        raise ConfigError(
            "a ceiling on spending needs a max_tokens in every request: without it, none has a highest price",
            hint="Set [parameters] max_tokens in the template, or [recipe] max_tokens.",
        )
    texts = (request.system, request.user, *request.history)
    input_tokens = sum([len(text.encode()) + MESSAGE_TOKENS for text in texts]) - MESSAGE_TOKENS
    return math.ceil((input_tokens * max(prices.input, prices.cached_input) + output_tokens * prices.output) * 1000)


def shown(nanos: int) -> str:
    """An amount for people, with as many digits as small amounts need."""
    amount = nanos / NANOS
    return f"{amount:,.2f}" if amount >= 100 or not nanos else f"{amount:,.4f}"
