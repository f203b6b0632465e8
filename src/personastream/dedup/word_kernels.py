"""Words and their hashes, compiled: see `words`. What a word is here is what `text.pack_words` makes of a text."""

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.constants import BLOCK_BEGIN, BLOCK_FACTOR, END_FACTOR, END_FLIP
from personastream.dedup.jit import fold_product, jit, load64, trailing_zeros

Hashes = NDArray[np.uint64]
Starts = NDArray[np.int64]

BLOCK = 64
PADDING = 16
"""A word is read by so many bytes."""

_U = np.uint64
_NONE, _ONE = _U(0), _U(1)
_LOW_BITS = _U(0x0101_0101_0101_0101)
_TOP_BITS = _U(0x8080_8080_8080_8080)
_GATHER_LOW_BITS = _U(0x0102_0408_1020_4080)  # times eight bytes of 0 or 1 puts them into the top byte as bits


@jit
def _fold_row(data: NDArray[np.uint8], folded: NDArray[np.uint8], marks: NDArray[np.uint8], size: int) -> None:
    """Lower-case `size` bytes, with 0 for all that belong to no word; and mark those that do with 1."""
    for place in range(size):
        code = data[place]
        letter = code | 32
        upper = (code >= 65) & (code <= 90)
        word = ((letter >= 97) & (letter <= 122)) | ((code >= 48) & (code <= 57)) | (code >= 128)
        marks[place] = word
        folded[place] = (code | (upper << 5)) if word else 0


@jit
def marked(marks: NDArray[np.uint8], base: int) -> np.uint64:
    """64 marks from `base` on as bits."""
    bits = _NONE
    for byte in range(8):
        bits |= ((load64(marks, base + 8 * byte) * _GATHER_LOW_BITS) >> _U(56)) << _U(8 * byte)
    return bits


@jit
def _zero_byte(value: np.uint64) -> np.uint64:
    """Its lowest set bit is the top bit of the lowest zero byte; 0 if there is none."""
    return (value - _LOW_BITS) & ~value & _TOP_BITS


@jit
def hash_word(folded: NDArray[np.uint8], place: int) -> np.uint64:
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


@jit
def hash_words(data: NDArray[np.uint8], begins: Starts, ends: Starts) -> tuple[Hashes, Starts]:
    """See `backend.Kernels`."""
    hashes = np.empty(len(data) // 2 + 1, np.uint64)
    word_starts = np.empty(len(begins) + 1, np.int64)
    scratch_bytes = longest(begins, ends) + 2 * BLOCK + PADDING
    folded, marks = np.empty(scratch_bytes, np.uint8), np.empty(scratch_bytes, np.uint8)
    count = 0
    for row in range(len(begins)):
        word_starts[row] = count
        size = ends[row] - begins[row]
        padded = (size // BLOCK + 1) * BLOCK  # the byte after a row belongs to no word, so there is always a zero
        _fold_row(data[begins[row] : begins[row] + padded], folded, marks, padded)
        before = _NONE
        for base in range(0, padded, BLOCK):
            inside = marked(marks, base)
            if size - base < BLOCK:
                inside &= (_ONE << _U(size - base)) - _ONE
            firsts = inside & ~((inside << _ONE) | before)
            before = inside >> _U(63)
            while firsts:
                hashes[count] = hash_word(folded, base + trailing_zeros(firsts))
                firsts &= firsts - _ONE
                count += 1
    word_starts[-1] = count
    return hashes[:count], word_starts
