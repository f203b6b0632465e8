"""The loops of the feature kernels, compiled. `words`, `simhash`, `sketch` and `minhash` say what they compute.

`feature_arrays` computes the same bits with numpy alone.
"""

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.constants import (
    ALL_BITS,
    PAIR_FLIP_1,
    PAIR_FLIP_2,
    SEGMENT_WORDS_MAX,
    SKETCH_BITS_2,
    SKETCH_SIZE_MAX,
)
from personastream.dedup.fold_kernels import form_rows
from personastream.dedup.jit import fold_product, jit
from personastream.dedup.token_kernels import hash_tokens
from personastream.dedup.word_kernels import hash_words, longest
from personastream.dedup.xxh3_kernels import hash_texts

__all__ = [
    "form_rows",
    "hash_texts",
    "hash_tokens",
    "hash_words",
    "minhash",
    "rehash",
    "simhash",
    "simhash_weighted",
    "sketches",
]

Hashes = NDArray[np.uint64]
Starts = NDArray[np.int64]

_U = np.uint64
_NONE, _ONE = _U(0), _U(1)
_SLOTS_MIN = 256


@jit
def rehash(hashes: Hashes, flip: np.uint64, factor: np.uint64) -> Hashes:
    """See `backend.Kernels`."""
    others = np.empty_like(hashes)
    for place in range(len(hashes)):
        others[place] = fold_product(hashes[place] ^ flip, factor)
    return others


@jit
def _hash_pair(first: np.uint64, second: np.uint64) -> np.uint64:
    return fold_product(first ^ PAIR_FLIP_1, second ^ PAIR_FLIP_2)


@jit
def _count_bits(hashes: Hashes, start: int, stop: int, end: int, pairs: bool) -> tuple[np.uint64, ...]:
    """How many features of words `start` to `stop - 1` have each bit: bit j of plane k is bit k of the count of bit j.

    A word and its pair with the next one are added at once, by a full adder on 64 columns. Eight planes count to 255,
    which is two features for each of 127 words. `end` is where the row ends, `stop` where this part of it does.
    """
    ones = p1 = p2 = p3 = p4 = p5 = p6 = p7 = _NONE
    for word in range(start, stop):
        feature = hashes[word]
        pair = _hash_pair(feature, hashes[word + 1]) if pairs and word + 1 < end else _NONE
        either = ones ^ feature
        carry = (ones & feature) | (either & pair)
        ones = either ^ pair
        carry, p1 = p1 & carry, p1 ^ carry
        carry, p2 = p2 & carry, p2 ^ carry
        carry, p3 = p3 & carry, p3 ^ carry
        carry, p4 = p4 & carry, p4 ^ carry
        carry, p5 = p5 & carry, p5 ^ carry
        carry, p6 = p6 & carry, p6 ^ carry
        p7 ^= carry
    return ones, p1, p2, p3, p4, p5, p6, p7


@jit
def _above(planes: tuple[np.uint64, ...], bound: int) -> np.uint64:
    """The bits whose count is above `bound`."""
    above, equal = _NONE, ALL_BITS
    for level in range(7, -1, -1):
        plane = planes[level]
        if bound >> level & 1:
            equal &= plane
        else:
            above |= equal & plane
            equal &= ~plane
    return above


@jit
def _sign(counters: NDArray[np.int64], bound: float) -> np.uint64:
    """The bits whose counter is above `bound`."""
    signature = _NONE
    for bit in range(64):
        if counters[bit] > bound:
            signature |= _ONE << _U(bit)
    return signature


@jit
def _simhash_long(hashes: Hashes, start: int, end: int, pairs: bool, bound: int) -> np.uint64:
    """The signature of a row of any length, counted in parts."""
    counters = np.zeros(64, np.int64)
    for part in range(start, end, SEGMENT_WORDS_MAX):
        planes = _count_bits(hashes, part, min(part + SEGMENT_WORDS_MAX, end), end, pairs)
        for level in range(8):
            for bit in range(64):
                counters[bit] += np.int64(planes[level] >> _U(bit) & _ONE) << level
    return _sign(counters, bound)


@jit
def simhash(hashes: Hashes, starts: Starts, pairs: bool) -> Hashes:
    """See `backend.Kernels`."""
    signatures = np.zeros(len(starts) - 1, np.uint64)
    for row in range(len(signatures)):
        start, end = starts[row], starts[row + 1]
        words = end - start
        bound = (max(2 * words - 1, 0) if pairs else words) // 2
        if words <= SEGMENT_WORDS_MAX:
            signatures[row] = _above(_count_bits(hashes, start, end, end, pairs), bound)
        else:
            signatures[row] = _simhash_long(hashes, start, end, pairs, bound)
    return signatures


@jit
def simhash_weighted(hashes: Hashes, starts: Starts, weights: NDArray[np.int64], pairs: bool) -> Hashes:
    """See `backend.Kernels`."""
    signatures = np.zeros(len(starts) - 1, np.uint64)
    counters = np.empty(64, np.int64)
    for row in range(len(signatures)):
        counters[:] = 0
        total = 0
        end = starts[row + 1]
        for word in range(starts[row], end):
            pair, pair_weight = _NONE, 0
            if pairs and word + 1 < end:
                pair, pair_weight = _hash_pair(hashes[word], hashes[word + 1]), weights[word] + weights[word + 1]
            total += 2 * weights[word] + pair_weight
            for bit in range(64):
                counters[bit] += 2 * weights[word] * np.int64(hashes[word] >> _U(bit) & _ONE)
                counters[bit] += pair_weight * np.int64(pair >> _U(bit) & _ONE)
        signatures[row] = _sign(counters, total // 2)
    return signatures


@jit
def sketches(hashes: Hashes, starts: Starts) -> Hashes:
    """See `backend.Kernels`. A small table tells repeated words: it holds the place of each distinct word of a row.

    Places of earlier rows count as free, so that it never needs to be cleared.
    """
    found = np.zeros((len(starts) - 1, 2), np.uint64)
    slots = _SLOTS_MIN
    while slots < 2 * longest(starts[:-1], starts[1:]):
        slots *= 2
    table = np.full(slots, -1, np.int64)
    for row in range(len(found)):
        start, end = starts[row], starts[row + 1]
        mask = _SLOTS_MIN - 1
        while mask < 2 * (end - start):
            mask = 2 * mask + 1
        mask = min(mask, slots - 1)
        first, second, distinct = _NONE, _NONE, 0
        for word in range(start, end):
            value = hashes[word]
            slot = np.intp(value) & mask
            while table[slot] >= start and hashes[table[slot]] != value:
                slot = (slot + 1) & mask
            if table[slot] < start:
                table[slot] = word
                distinct += 1
                first ^= _ONE << (value >> _U(58))
                second ^= _ONE << ((value & _U(0xFFFF_FFFF)) * _U(SKETCH_BITS_2) >> _U(32))
        found[row, 0] = first
        found[row, 1] = second | _U(min(distinct, SKETCH_SIZE_MAX)) << _U(SKETCH_BITS_2)
    return found


@jit
def minhash(
    hashes: Hashes, starts: Starts, flips: NDArray[np.uint32], factors: NDArray[np.uint32]
) -> NDArray[np.uint32]:
    """See `backend.Kernels`."""
    found = np.full((len(starts) - 1, len(flips)), 0xFFFF_FFFF, np.uint32)
    for row in range(len(found)):
        least = found[row]
        for word in range(starts[row], starts[row + 1]):
            value = np.uint32(hashes[word] ^ hashes[word] >> _U(32))
            for place in range(len(flips)):
                image = np.uint32(np.uint32(value ^ flips[place]) * factors[place])
                image = np.uint32(image ^ image >> np.uint32(16))
                least[place] = min(least[place], image)
    return found
