"""MinHash (Broder, 1997) of each row's set of words: two rows agree in a share of places that estimates their Jaccard.

Each place has a permutation of the 32-bit numbers, v -> (v ^ flip) * factor, then v ^ v >> 16, with an odd factor; the
value is the least image of the row's words, which enter as the xor of the halves of their hashes.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.backend import kernels
from personastream.dedup.constants import END_FACTOR, SECOND_FACTOR
from personastream.dedup.feature_arrays import fold_product
from personastream.dedup.words import Words


def minhash(words: Words, permutations: int = 128) -> NDArray[np.uint32]:
    """uint32[n, permutations]. A row without words has the largest value everywhere.

    The first places are the same whatever `permutations` is.
    """
    return kernels().minhash(words.hashes, words.starts, *_permutations(permutations))


@cache
def _permutations(count: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Flips and odd factors, drawn from a fixed sequence of hashes."""
    drawn = fold_product(np.arange(1, count + 1, dtype=np.uint64) * SECOND_FACTOR, END_FACTOR)
    return drawn.astype(np.uint32), (drawn >> np.uint64(32)).astype(np.uint32) | np.uint32(1)
