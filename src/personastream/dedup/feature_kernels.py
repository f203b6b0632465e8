"""The loops of the feature kernels, compiled. `words`, `simhash`, `sketch` and `minhash` say what they compute.

`feature_arrays` computes the same bits with numpy alone.
"""

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.backend import Bytes, Hashes, Starts, Table
from personastream.dedup.constants import (
    ALL_BITS,
    PAIR_FLIP_1,
    PAIR_FLIP_2,
)
from personastream.dedup.fold_kernels import form_row, form_rows, normal_rows
from personastream.dedup.jit import fold_product, jit, pasted
from personastream.dedup.sketch_kernels import sketch_bits, with_size
from personastream.dedup.token_kernels import hash_tokens
from personastream.dedup.word_kernels import SCRATCH, hash_row, hash_words, longest
from personastream.dedup.xxh3_kernels import hash_texts

__all__ = [
    "features",
    "form_rows",
    "hash_texts",
    "hash_tokens",
    "hash_words",
    "minhash",
    "normal_rows",
    "rehash",
    "simhash",
    "simhash_weighted",
    "sketches",
]

_U = np.uint64
_NONE, _ONE = _U(0), _U(1)
_SLOTS_MIN = 256
_STEP_WORDS = 4  # that are counted together
_SEGMENT_WORDS = 124  # of two features each: what a count of 8 bits can hold, by whole steps


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
def _features(hashes: Hashes, word: int, stop: int, before: np.uint64, pairs: bool) -> tuple[np.uint64, np.uint64]:
    """A word and its pair with the one `before`; zeros from `stop` on."""
    if word >= stop:
        return _NONE, _NONE
    return hashes[word], _hash_pair(before, hashes[word]) if pairs else _NONE


@jit
def _add(total: np.uint64, one: np.uint64, other: np.uint64) -> tuple[np.uint64, np.uint64]:
    """The sum of three bits, and what is carried, in 64 columns."""
    either = one ^ other
    return total ^ either, (one & other) | (total & either)


@jit
def _count_bits(hashes: Hashes, begin: int, start: int, stop: int, pairs: bool) -> tuple[np.uint64, ...]:
    """How many features of words `start` to `stop - 1` have each bit: bit j of plane k is bit k of the count of bit j.

    A tree of adders takes those of four words at a time (Harley and Seal). `begin` is where the row begins, `start`
    where this segment of it does.
    """
    ones = twos = fours = p3 = p4 = p5 = p6 = p7 = _NONE
    word_4 = hashes[start - 1] if start > begin else PAIR_FLIP_1  # with that before it, a pair hashes to 0
    for place in range(start, stop, _STEP_WORDS):
        word_1, pair_1 = _features(hashes, place, stop, word_4, pairs)
        word_2, pair_2 = _features(hashes, place + 1, stop, word_1, pairs)
        word_3, pair_3 = _features(hashes, place + 2, stop, word_2, pairs)
        word_4, pair_4 = _features(hashes, place + 3, stop, word_3, pairs)
        ones, one = _add(ones, word_1, pair_1)
        ones, other = _add(ones, word_2, pair_2)
        twos, two = _add(twos, one, other)
        ones, one = _add(ones, word_3, pair_3)
        ones, other = _add(ones, word_4, pair_4)
        twos, other = _add(twos, one, other)
        fours, carry = _add(fours, two, other)
        carry, p3 = p3 & carry, p3 ^ carry
        carry, p4 = p4 & carry, p4 ^ carry
        carry, p5 = p5 & carry, p5 ^ carry
        carry, p6 = p6 & carry, p6 ^ carry
        p7 ^= carry
    return ones, twos, fours, p3, p4, p5, p6, p7


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
def _simhash_long(hashes: Hashes, begin: int, end: int, pairs: bool, bound: int) -> np.uint64:
    """The signature of a row of any length, counted in segments."""
    counters = np.zeros(64, np.int64)
    for start in range(begin, end, _SEGMENT_WORDS):
        planes = _count_bits(hashes, begin, start, min(start + _SEGMENT_WORDS, end), pairs)
        for level in range(8):
            for bit in range(64):
                counters[bit] += np.int64(planes[level] >> _U(bit) & _ONE) << level
    return _sign(counters, bound)


@pasted
def _simhash_row(hashes: Hashes, begin: int, end: int, pairs: bool) -> np.uint64:
    """The signature of the row of words `begin` to `end - 1`."""
    words = end - begin
    bound = (max(2 * words - 1, 0) if pairs else words) // 2
    if words <= _SEGMENT_WORDS:
        signature = _above(_count_bits(hashes, begin, begin, end, pairs), bound)
    else:
        signature = _simhash_long(hashes, begin, end, pairs, bound)
    return signature


@jit
def simhash(hashes: Hashes, starts: Starts, pairs: bool) -> Hashes:
    """See `backend.Kernels`."""
    signatures = np.empty(len(starts) - 1, np.uint64)
    for row in range(len(signatures)):
        signatures[row] = _simhash_row(hashes, starts[row], starts[row + 1], pairs)
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
def _empty_table(words_max: int) -> NDArray[np.int64]:
    """A table that tells repeated words of rows of so many."""
    slots = _SLOTS_MIN
    while slots <= 2 * words_max:
        slots *= 2
    return np.full(slots, -1, np.int64)


@pasted
def _sketch_row(
    hashes: Hashes, start: int, end: int, shift: int, table: NDArray[np.int64]
) -> tuple[np.uint64, np.uint64]:
    """Both sketches of the row of words `start` to `end - 1`.

    `table` holds the place of each distinct word, plus `shift`. Those of earlier rows count as free, so that it never
    needs to be cleared: places plus shifts must ascend.
    """
    mask = _U(_SLOTS_MIN - 1)
    while mask < _U(2 * (end - start)):
        mask = _U(2) * mask + _ONE
    first, second, distinct = _NONE, _NONE, 0
    for word in range(start, end):
        value = hashes[word]
        slot = value & mask
        while table[slot] >= start + shift and hashes[table[slot] - shift] != value:
            slot = (slot + _ONE) & mask
        if table[slot] < start + shift:
            table[slot] = word + shift
            distinct += 1
            one, other = sketch_bits(value)
            first ^= one
            second ^= other
    return first, with_size(second, distinct)


@jit
def sketches(hashes: Hashes, starts: Starts) -> Hashes:
    """See `backend.Kernels`."""
    found = np.empty((len(starts) - 1, 2), np.uint64)
    table = _empty_table(longest(starts[:-1], starts[1:]))
    for row in range(len(found)):
        found[row, 0], found[row, 1] = _sketch_row(hashes, starts[row], starts[row + 1], 0, table)
    return found


@jit
def features(
    data: Bytes, begins: Starts, ends: Starts, table: Table, pairs: bool
) -> tuple[Hashes, Hashes, Starts, NDArray[np.bool_]]:
    """See `backend.Kernels`. A row's words never leave the fastest cache."""
    rows, row_bytes = len(begins), 2 * longest(begins, ends)
    signatures, evidence = np.zeros(rows, np.uint64), np.zeros((rows, 2), np.uint64)
    counts, left = np.zeros(rows, np.int64), np.zeros(rows, np.bool_)
    formed, folded = np.empty(row_bytes + SCRATCH, np.uint8), np.empty(row_bytes + SCRATCH, np.uint8)
    hashes = np.empty(row_bytes // 2 + 1, np.uint64)
    known, before = _empty_table(0), 0
    for row in range(rows):
        size = form_row(data, begins[row], ends[row], table, formed, 0)
        if size < 0:
            left[row] = True
            continue
        formed[size] = 0
        words = hash_row(formed, 0, size, folded, hashes, 0)
        if 2 * words >= len(known):
            known = _empty_table(words)
        evidence[row, 0], evidence[row, 1] = _sketch_row(hashes, 0, words, before, known)
        signatures[row] = _simhash_row(hashes, 0, words, pairs)
        counts[row] = words
        before += words
    return signatures, evidence, counts, left


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
