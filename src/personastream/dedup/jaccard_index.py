"""Which rows share so many of their words with an earlier one: an exact index for Jaccard similarity.

After PartEnum (Arasu, Ganti, Kaushik, VLDB 2006). Sets of s and t words with similarity J or more differ in at most
d = (1 - J) / (1 + J) * (s + t) words. Split the words by their hashes into d + 1 parts: a word that differs touches
one part, so at least one part is the same in both sets. The parts of kept rows are looked up by hash.

Both sides must split alike. So sizes fall into classes: class c holds those sizes of which two sets can differ in c
words at most, and splits into c + 1 parts; for J = 0.9 classes end at 9, 18, 28, 37, 47 words and so on. Two rows meet
in the class of the larger one: each row has the parts of its own class, and of all further ones that a larger partner
may be in.

An empty part is the same in many rows and tells little. So it has no key, but a row that has one is split once more,
by other bits of its hashes. Should a part be empty again (for J = 0.9, of less than one row in 100,000), it has a key.

For J = 0.9 a row of 14 words has 2 keys, one of 26 has 7, one of 255 has 27. Rows that would have more than 1024
(from 38 words on for J = 0.5), or more than the 255 words that a sketch can count, are split as if they had as many
words as that: those that differ in few enough words are found, others may be missed.
"""

from math import floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.candidates import Candidates, SetIndex, exact
from personastream.dedup.constants import SKETCH_SIZE_MAX
from personastream.dedup.words import Words

Sizes = NDArray[np.int64]

_SPLITS = 2
_PARTS_MAX = 1024  # of one row, in all its classes
_USUAL_WORDS = 20


class JaccardIndex(SetIndex):
    """Remembers the rows it has not seen the like of; `candidates` tells what it costs and gives up.

    `similarity_min` is 0.5 to 1; near the lower end rows have hundreds of keys. Raises `ConfigError` without numba.
    """

    def __init__(self, rows_expected: int = 0, similarity_min: float = 0.9) -> None:
        self._first, self._last = _classes(similarity_min)
        self._parts = np.array([_parts(*classes) for classes in zip(self._first, self._last, strict=True)], np.int64)
        self._parts_most = np.maximum.accumulate(self._parts)  # of a row with so many words, distinct or not
        super().__init__(Candidates(rows_expected, similarity_min, 1 + float(self._parts[_USUAL_WORDS])))
        from personastream.dedup import jaccard_kernels

        self._kernels: Any = jaccard_kernels

    def insert(self, words: Words) -> NDArray[np.bool_]:
        """True for each row that is no near copy of a kept one before it; such rows are kept from now on.

        A row without words is no near copy, and is not kept. The answers depend on the rows so far, not on how they
        were batched.
        """
        keys_max = _SPLITS * int(self._parts_most[np.minimum(words.counts, SKETCH_SIZE_MAX)].sum())
        return self._candidates.insert(
            *self._kernels.part_keys(words.hashes, words.starts, self._first, self._last, keys_max)
        )

    def learn(self, records: bytes) -> None:
        """Keep the rows that `learnt` told of. Raises `ValueError` if they cannot be such, and has learnt nothing."""
        self._candidates.learn(records, 1, _SPLITS * int(self._parts.max()))


def _classes(similarity_min: float) -> tuple[Sizes, Sizes]:
    """The first and the last class of rows of each size, 0 to 255."""
    bound = exact(similarity_min)
    share = 2 * (1 - bound) / (1 + bound)
    largest = SKETCH_SIZE_MAX
    while _parts(floor(share * largest), floor(share * floor(largest / bound))) > _PARTS_MAX:
        largest -= 1
    sizes = range(SKETCH_SIZE_MAX + 1)
    first = [floor(share * min(size, largest)) for size in sizes]
    last = [floor(share * min(floor(size / bound), largest)) for size in sizes]
    return np.array(first, np.int64), np.array(last, np.int64)


def _parts(first: int, last: int) -> int:
    """Parts of all classes from `first` to `last`: class c has c + 1."""
    return sum(range(int(first) + 1, int(last) + 2))
