"""Which beginnings of prompts a service has seen before, for which it charges less. Pure."""

from collections import OrderedDict

from xxhash import xxh3_64_intdigest

from personastream.simulator.dialect import ChatRequest
from personastream.simulator.replies import block_start, token_count

PREFIXES_MAX = 4096
BLOCK_TOKENS = 128
"""Hosted services count what is cached in blocks of so many tokens."""


class PromptCache:
    """Remembers what stands before the persona: the part that requests of one template share."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, None] = OrderedDict()

    def known(self, asked: ChatRequest, tokens_min: int) -> int:
        """How many tokens of this prompt are cached, 0 if fewer than `tokens_min`; from now on they are known."""
        prefix = asked.system + asked.user[: block_start(asked.user)]
        tokens = min(asked.input_tokens, token_count(prefix))
        block = min(BLOCK_TOKENS, tokens_min)
        tokens -= tokens % block
        if tokens < tokens_min:
            return 0
        key = xxh3_64_intdigest(prefix.encode())
        cached = tokens if key in self._known else 0
        self._known[key] = None
        self._known.move_to_end(key)
        if len(self._known) > PREFIXES_MAX:
            self._known.popitem(last=False)
        return cached
