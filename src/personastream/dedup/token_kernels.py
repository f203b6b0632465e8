"""Tokens and their hashes, compiled: see `tokens`.

A row is rewritten only if it holds an apostrophe. Then letters and digits are told apart 64 bytes at a
time: a token begins where a run of letters does, and at every digit.
"""

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.jit import jit, trailing_zeros
from personastream.dedup.word_kernels import BLOCK, PADDING, hash_word, longest, marked

Bytes = NDArray[np.uint8]
Hashes = NDArray[np.uint64]
Starts = NDArray[np.int64]

_U = np.uint64
_NONE, _ONE = _U(0), _U(1)
_APOSTROPHE, _ZERO, _NINE = 39, 48, 57
_MARK_BITS = 12
_MARK_SHIFT = _U(64 - _MARK_BITS)


@jit
def _is_letter(code: int) -> bool:
    letter = code | 32
    return bool(((letter >= 97) & (letter <= 122)) | (code >= 128))


@jit
def _has_apostrophe(row: Bytes) -> bool:
    found = False
    for place in range(len(row)):
        found |= bool(row[place] == _APOSTROPHE)
    return found


@jit
def _fold_row(data: Bytes, folded: Bytes, letters: Bytes, digits: Bytes, size: int) -> None:
    """Lower-case letters, with 0 for all else; and mark them with 1, and digits elsewhere."""
    for place in range(size):
        code = data[place]
        letter = code | 32
        upper = (code >= 65) & (code <= 90)
        is_letter = ((letter >= 97) & (letter <= 122)) | (code >= 128)
        letters[place] = is_letter
        digits[place] = (code >= _ZERO) & (code <= _NINE)
        folded[place] = (code | (upper << 5)) if is_letter else 0


@jit
def _rewrite(row: Bytes, plain: Bytes) -> int:
    """Copy a row without apostrophes between letters; returns its new size."""
    size = 0
    for place in range(len(row)):
        code = row[place]
        is_inside = 0 < place < len(row) - 1 and _is_letter(row[place - 1]) and _is_letter(row[place + 1])
        if code != _APOSTROPHE or not is_inside:
            plain[size] = code
            size += 1
    return size


@jit
def _is_among(value: np.uint64, values: Hashes) -> bool:
    found = False
    for other in values:
        found |= bool(value == other)
    return found


@jit
def hash_tokens(data: Bytes, starts: Starts, digits: Hashes, silent: Hashes) -> tuple[Hashes, Starts]:
    """See `backend.Kernels`."""
    hashes = np.empty(len(data), np.uint64)
    token_starts = np.empty(len(starts), np.int64)
    scratch = longest(starts) + 2 * BLOCK + PADDING
    folded, letters, numerals = np.empty(scratch, np.uint8), np.empty(scratch, np.uint8), np.empty(scratch, np.uint8)
    plain = np.zeros(scratch, np.uint8)
    may_be_silent = np.zeros(1 << _MARK_BITS, np.bool_)  # by their upper bits: few others share those
    for hashed in silent:
        may_be_silent[hashed >> _MARK_SHIFT] = True
    count = 0
    for row in range(len(starts) - 1):
        token_starts[row] = count
        size = starts[row + 1] - 1 - starts[row]
        source = data[starts[row] :]
        if _has_apostrophe(source[:size]):
            size = _rewrite(source[:size], plain)
            source = plain
        padded = (size // BLOCK + 1) * BLOCK
        _fold_row(source, folded, letters, numerals, padded)
        folded[size] = 0
        before = _NONE
        for base in range(0, padded, BLOCK):
            inside, numbers = marked(letters, base), marked(numerals, base)
            if size - base < BLOCK:
                inside &= (_ONE << _U(size - base)) - _ONE
                numbers &= (_ONE << _U(size - base)) - _ONE
            begins = (inside & ~((inside << _ONE) | before)) | numbers
            before = inside >> _U(63)
            while begins:
                place = base + trailing_zeros(begins)
                begins &= begins - _ONE
                hashed = hash_word(folded, place) if letters[place] else digits[source[place] - _ZERO]
                hashes[count] = hashed
                count += not (may_be_silent[hashed >> _MARK_SHIFT] and _is_among(hashed, silent))
    token_starts[-1] = count
    return hashes[:count], token_starts
