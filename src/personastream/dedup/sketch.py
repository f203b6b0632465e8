"""Two odd sketches of each row's set of words, with its size: what near copies are verified by.

An odd sketch (Mitzenmacher, Pagh, Pham, WWW 2014) is the xor, over the distinct words of a row, of one bit that the
word's hash names. Two sketches differ in at most as many bits as the two sets differ in words, so a sketch never
refutes a true near copy. The two here depend on different bits of a hash.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.backend import kernels
from personastream.dedup.simhash import simhash
from personastream.dedup.text import STEP_ROWS, pack_texts, table_for
from personastream.dedup.words import Words, hash_words


def sketches(words: Words) -> NDArray[np.uint64]:
    """uint64[n, 2]: a sketch of 64 bits; a second one of 56, and above it the number of distinct words, up to 255."""
    return kernels().sketches(words.hashes, words.starts)


def signatures_and_sketches(
    texts: Sequence[str], pairs: bool = True
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.int64]]:
    """From texts: `simhash` (uint64[n]), `sketches` (uint64[n, 2]), and how many words each has (int64[n])."""
    signatures, evidence = np.empty(len(texts), np.uint64), np.empty((len(texts), 2), np.uint64)
    counts = np.empty(len(texts), np.int64)
    for start in range(0, len(texts), STEP_ROWS):
        step = slice(start, start + STEP_ROWS)
        signatures[step], evidence[step], counts[step] = _features(texts[step], pairs)
    return signatures, evidence, counts


def _features(texts: Sequence[str], pairs: bool) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.int64]]:
    packed = pack_texts(texts)
    signatures, evidence, counts, left = kernels().features(
        packed.data, packed.begins, packed.ends, table_for(packed, "words"), pairs
    )
    hard = left.nonzero()[0]
    if len(hard):
        words = hash_words([texts[place] for place in hard.tolist()])
        signatures[hard], evidence[hard], counts[hard] = simhash(words, pairs), sketches(words), words.counts
    return signatures, evidence, counts
