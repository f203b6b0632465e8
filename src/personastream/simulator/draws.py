"""Deterministic randomness: whatever looks random is a function of the seed and of what was asked. Pure."""

import math
import struct
from functools import lru_cache
from statistics import NormalDist

from xxhash import xxh3_64_intdigest

QUANTILES = 1024
"""Steps of a tabulated distribution: fine enough for any histogram, and its largest value is 3.3 sigma out."""

FOR_IDS, FOR_TRACE, FOR_POISON, FOR_REPLY, FOR_SENTENCES = range(2**64 - 5, 2**64)
"""Numbers for draws that belong to a request whatever the attempt; lower numbers are attempts."""

FOR_ORDER = 2**63
"""The first of as many numbers as there are batches."""

_PAIR = struct.Struct("<QQ")
_MASK = 2**64 - 1


def draw(key: int, number: int, seed: int) -> int:
    """A uniform 64-bit number for the pair (`key`, `number`), both below 2**64."""
    return xxh3_64_intdigest(_PAIR.pack(key, number), seed=seed)


def following(state: int) -> int:
    """The next state of Knuth's MMIX linear congruential generator, 64 bits; use the high bits."""
    return (state * 6364136223846793005 + 1442695040888963407) & _MASK


def lognormal(mean: float, sigma: float) -> tuple[float, ...]:
    """A lognormal distribution as `QUANTILES` equally likely values, ascending, whose mean is exactly `mean`.

    `sigma` is that of the underlying normal distribution; 0 gives `mean` throughout.
    """
    raw = [math.exp(sigma * quantile) for quantile in _normal_quantiles()]
    scale = mean * QUANTILES / math.fsum(raw)
    return tuple(value * scale for value in raw)


@lru_cache(maxsize=1)
def _normal_quantiles() -> tuple[float, ...]:
    normal = NormalDist()
    return tuple(normal.inv_cdf((step + 0.5) / QUANTILES) for step in range(QUANTILES))
