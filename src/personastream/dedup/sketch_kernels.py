"""How alike two rows are, by their odd sketches (Mitzenmacher, Pagh, Pham, WWW 2014). Compiled.

An odd sketch is the parity of how many distinct words hash to each bit, so two sketches differ in at most as many
bits as the two sets of words differ in words. A row has two of them and its size: 64 bits; 56 bits with the number of
its distinct words, at most 255, above them.
"""

import numpy as np

from personastream.dedup.jit import count_ones, jit
from personastream.dedup.lines import Number


@jit
def similarity_bound(first: Number, second: Number, other_first: Number, other_second: Number) -> Number:
    """An upper bound of the Jaccard similarity of two rows, each given as its two words of evidence.

    Sets of sizes s and t that differ in d words have similarity (s + t - d) / (s + t + d); the larger of the two
    differences of sketches and the difference in size stand for d, and are never above it. Sizes of 255 and more all
    count as 255, which lowers the answer: of rows that long it is an estimate.
    """
    size, other_size = np.int64(second >> np.uint64(56)), np.int64(other_second >> np.uint64(56))
    apart: Number = max(
        count_ones(first ^ other_first),
        count_ones((second ^ other_second) << np.uint64(8)),
        abs(size - other_size),
    )
    return max(0, size + other_size - apart) / (size + other_size + apart)
