"""How alike two rows are, by their odd sketches (Mitzenmacher, Pagh, Pham, WWW 2014). Compiled.

An odd sketch is the parity of how many distinct words hash to each bit, so two sketches differ in at most as many
bits as the two sets of words differ in words. A row has two of them and its size: 64 bits; 56 bits with the number of
its distinct words, at most 255, above them.
"""

import math

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.constants import SKETCH_BITS_2, SKETCH_SIZE_MAX
from personastream.dedup.jit import count_ones, inlined, jit_bare
from personastream.dedup.lines import Number

ESTIMATED_FROM = 12
"""Bits of one sketch from which on words that share a bit are no exception any more."""
BITS = 60.0
"""Of a sketch, the mean of the two."""
STANDARD_ERRORS = 4.0


def most_apart(bits: int) -> float:
    """In how many words two rows may well differ, if their sketches differ in so many `bits` together.

    After the paper: d words leave a sketch of m bits with m/2 (1 - exp(-2d/m)) odd bits on average, with the variance
    m/4 (1 - exp(-4d/m)) - d exp(-4d/m). The answer is the d that leaves `bits` or fewer once in some 30,000 times;
    infinite if so many bits are usual between rows that have nothing in common.
    """
    words = float(bits)
    for _ in range(50):
        left = math.exp(-2 * words / BITS)
        variance = 2 * max(0.0, BITS / 4 * (1 - left * left) - words * left * left)
        left = 1 - (bits + STANDARD_ERRORS * math.sqrt(variance)) / BITS
        if left <= 0:
            return math.inf
        words = -BITS / 2 * math.log(left)
    return words


MOST_APART = np.array([most_apart(bits) for bits in range(121)])


@inlined
def sketch_bits(value: Number) -> tuple[Number, Number]:
    """The bit of a word, by its hash, in either sketch."""
    place = ((value & np.uint64(0xFFFF_FFFF)) * np.uint64(SKETCH_BITS_2)) >> np.uint64(32)
    return np.uint64(1) << (value >> np.uint64(58)), np.uint64(1) << place


@inlined
def with_size(second: Number, distinct: Number) -> Number:
    """The second sketch, of 56 bits, with the number of distinct words above it."""
    return second | (np.uint64(min(distinct, SKETCH_SIZE_MAX)) << np.uint64(SKETCH_BITS_2))


@jit_bare
def sketch(distinct: NDArray[np.uint64], count: Number) -> tuple[Number, Number]:
    """Both sketches of a row, of which the first `count` hashes are those of its distinct words."""
    first = second = np.uint64(0)
    for place in range(count):
        one, other = sketch_bits(distinct[place])
        first ^= one
        second ^= other
    return first, with_size(second, count)


@jit_bare
def similarity_bound(first: Number, second: Number, other_first: Number, other_second: Number) -> Number:
    """What the Jaccard similarity of two rows is at most, each given as its two words of evidence.

    Sets of sizes s and t that differ in d words have similarity (s + t - d) / (s + t + d); the larger of the two
    differences of sketches and the difference in size stand for d, and are never above it. Where they are so large
    that words must have met in bits, d is what it may well be: the answer is then low rather than high, and a row is
    kept where the evidence does not suffice. Sizes of 255 and more all count as 255, which lowers the answer as well.
    """
    size, other_size = np.int64(second >> np.uint64(56)), np.int64(other_second >> np.uint64(56))
    bits = count_ones(first ^ other_first)
    other_bits = count_ones((second ^ other_second) << np.uint64(8))
    apart: Number = max(bits, other_bits, abs(size - other_size))
    if max(bits, other_bits) < ESTIMATED_FROM:
        return max(0, size + other_size - apart) / (size + other_size + apart)
    most = max(float(apart), MOST_APART[bits + other_bits])
    return max(0.0, size + other_size - most) / (size + other_size + most)
