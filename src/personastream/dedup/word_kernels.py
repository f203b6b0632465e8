"""Words and their hashes, compiled: see `words`. What a word is here is what `text.pack_words` makes of a text."""

import numpy as np

from personastream.dedup.backend import Bytes, Hashes, Starts
from personastream.dedup.constants import BLOCK_BEGIN, BLOCK_FACTOR, END_FACTOR, END_FLIP
from personastream.dedup.jit import equal_bytes, fold_product, jit, load64, pasted, trailing_zeros

BLOCK = 64
SCRATCH = 2 * BLOCK + 16
"""So much more than the longest row must scratch hold: rows are read by blocks, and a word by 16 bytes."""

_U = np.uint64
_NONE, _ONE = _U(0), _U(1)
_LOW_BITS = _U(0x0101_0101_0101_0101)
_TOP_BITS = _U(0x8080_8080_8080_8080)


@jit
def _fold_row(data: Bytes, folded: Bytes, size: int) -> None:
    """Lower-case `size` bytes, with 0 for all that belong to no word."""
    for place in range(size):
        code = data[place]
        letter = code | 32
        upper = (code >= 65) & (code <= 90)
        word = ((letter >= 97) & (letter <= 122)) | ((code >= 48) & (code <= 57)) | (code >= 128)
        folded[place] = (code | (upper << 5)) if word else 0


@jit
def _zero_byte(value: np.uint64) -> np.uint64:
    """Its lowest set bit is the top bit of the lowest zero byte; 0 if there is none."""
    return (value - _LOW_BITS) & ~value & _TOP_BITS


@jit
def hash_word(folded: Bytes, place: int) -> np.uint64:
    """The hash of the word that begins at `place` and ends before the next zero byte."""
    found = BLOCK_BEGIN
    low, high = load64(folded, place), load64(folded, place + 8)
    low_end, high_end = _zero_byte(low), _zero_byte(high)
    while low_end | high_end == _NONE:
        found = fold_product(low ^ BLOCK_FACTOR, high ^ found)
        place += 16
        low, high = load64(folded, place), load64(folded, place + 8)
        low_end, high_end = _zero_byte(low), _zero_byte(high)
    low &= (low_end - _ONE) & ~low_end
    high &= (high_end - _ONE) & ~high_end
    high = high if low_end == _NONE else _NONE
    found = fold_product(low ^ BLOCK_FACTOR, high ^ found)
    return fold_product(found ^ END_FLIP, END_FACTOR)


@jit
def longest(begins: Starts, ends: Starts) -> int:
    """The size of the longest row."""
    found = 0
    for row in range(len(begins)):
        found = max(found, ends[row] - begins[row])
    return found


@pasted
def hash_row(data: Bytes, begin: int, end: int, folded: Bytes, hashes: Hashes, count: int) -> int:
    """List the hashes of a row's words, from `count` on; returns how many there are then."""
    size = end - begin
    padded = (size // BLOCK + 1) * BLOCK  # the byte after a row belongs to no word, so there is always a zero
    _fold_row(data[begin : begin + padded], folded, padded)
    before = _NONE
    for base in range(0, padded, BLOCK):
        inside = ~equal_bytes(folded, base, _NONE)
        if size - base < BLOCK:
            inside &= (_ONE << _U(size - base)) - _ONE
        firsts = inside & ~((inside << _ONE) | before)
        before = inside >> _U(63)
        while firsts:
            hashes[count] = hash_word(folded, base + trailing_zeros(firsts))
            firsts &= firsts - _ONE
            count += 1
    return count


@jit
def hash_words(data: Bytes, begins: Starts, ends: Starts) -> tuple[Hashes, Starts]:
    """See `backend.Kernels`."""
    hashes = np.empty(len(data) // 2 + 1, np.uint64)
    starts = np.empty(len(begins) + 1, np.int64)
    folded = np.empty(longest(begins, ends) + SCRATCH, np.uint8)
    count = 0
    for row in range(len(begins)):
        starts[row] = count
        count = hash_row(data, begins[row], ends[row], folded, hashes, count)
    starts[-1] = count
    return hashes[:count], starts
