"""SimHash signatures of word rows (Charikar, STOC 2002), over words and pairs of adjacent words.

Bit j of a signature is 1 if and only if more than half of the row's features, by weight, have bit j set. A row's
features are its words, each as often as it occurs, and with `pairs` its pairs of adjacent words, whose hash is
`fold(a ^ P1, b ^ P2)` of the two words' hashes (see `words` for `fold`), so that the order counts. A row without words
has signature 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.backend import kernels
from personastream.dedup.constants import SECOND_FACTOR, SECOND_FLIP
from personastream.dedup.words import Words, hash_words

_UNITS = 1 << 12  # weights are summed as whole numbers of 1/4096, so that the order of adding makes no difference
_WEIGHT_MAX = float(1 << 20)


@dataclass(frozen=True, slots=True)
class WordWeights:
    """How much each word counts, such as its inverse document frequency or the root of it.

    `hashes` is uint64[n], ascending, of words as in `Words`; `weights` float32[n]; `other` is for all other words.
    Weights are 0 to 2^20 and are rounded to multiples of 1/4096. A pair weighs the mean of its two words.
    """

    hashes: NDArray[np.uint64]
    weights: NDArray[np.float32]
    other: float

    def __post_init__(self) -> None:
        if len(self.hashes) != len(self.weights) or not (self.hashes[1:] > self.hashes[:-1]).all():
            raise ValueError("a weight is needed for each hash, and hashes must ascend")
        if not all(0 <= weight <= _WEIGHT_MAX for weight in (*self.weights.tolist(), self.other)):
            raise ValueError("weights must be from 0 to 2^20")

    @classmethod
    def of(cls, weights: Mapping[str, float], other: float) -> "WordWeights":
        """From words as text. Raises `ValueError` for a text that is not exactly one word."""
        words = hash_words(list(weights))
        if not (words.counts == 1).all():
            wrong = list(weights)[int((words.counts != 1).argmax())]
            raise ValueError(f"{wrong!r} is not one word")
        hashes, place = np.unique(words.hashes, return_index=True)
        return cls(hashes, np.array(list(weights.values()), np.float32)[place], other)

    def units(self, words: Words) -> NDArray[np.int64]:
        """The weight of each word of `words` in units of 1/4096."""
        table = np.rint(np.append(self.weights.astype(np.float64), self.other) * _UNITS).astype(np.int64)
        place = np.searchsorted(self.hashes, words.hashes)
        known = np.append(self.hashes, 0)[place] == words.hashes
        units: NDArray[np.int64] = table[np.where(known & (place < len(self.hashes)), place, len(self.hashes))]
        return units


def simhash(words: Words, pairs: bool = True, weights: WordWeights | None = None) -> NDArray[np.uint64]:
    """64-bit signatures, uint64[n]; without `pairs` over words alone."""
    if weights is None:
        return kernels().simhash(words.hashes, words.starts, pairs)
    return kernels().simhash_weighted(words.hashes, words.starts, weights.units(words), pairs)


def simhash_128(words: Words, pairs: bool = True, weights: WordWeights | None = None) -> NDArray[np.uint64]:
    """128-bit signatures, uint64[n, 2]: `simhash`, and the same over a second hash of each word."""
    second = Words(kernels().rehash(words.hashes, SECOND_FLIP, SECOND_FACTOR), words.starts)
    if weights is None:
        return np.stack([simhash(words, pairs), simhash(second, pairs)], axis=1)
    units = weights.units(words)
    halves = [kernels().simhash_weighted(part.hashes, part.starts, units, pairs) for part in (words, second)]
    return np.stack(halves, axis=1)
