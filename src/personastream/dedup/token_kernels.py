"""Tokens and their hashes, compiled: see `tokens`.

A row is rewritten only if it holds an apostrophe, or a comma before a digit. Then letters and numbers are told apart 64
bytes at a time: a token begins where a run of either does.
"""

import numpy as np

from personastream.dedup.backend import Bytes, Hashes, Starts
from personastream.dedup.jit import equal_bytes, jit, trailing_zeros
from personastream.dedup.word_kernels import BLOCK, SCRATCH, hash_word, longest

_U = np.uint64
_NONE, _ONE = _U(0), _U(1)
_APOSTROPHE, _COMMA, _POINT = 39, 44, 46
_POINT_INSIDE = 0xFF  # stands for a point in a number: UTF-8 has no such byte
_MARK_BITS = 12
_MARK_SHIFT = _U(64 - _MARK_BITS)


@jit
def _is_letter(code: int) -> bool:
    letter = code | 32
    return bool(((letter >= 97) & (letter <= 122)) | (code >= 128))


@jit
def _is_digit(code: int) -> bool:
    return bool((code >= 48) & (code <= 57))


@jit
def _is_to_rewrite(data: Bytes, size: int) -> bool:
    """Whether a row holds an apostrophe, or a comma before a digit."""
    found = False
    for place in range(size):
        found |= bool((data[place] == _APOSTROPHE) | ((data[place] == _COMMA) & _is_digit(data[place + 1])))
    return found


@jit
def _vanishes(row: Bytes, place: int) -> bool:
    """Whether it is an apostrophe between letters, or a comma between a digit and exactly three more."""
    if place == 0 or place + 1 == len(row):
        return False
    if row[place] == _APOSTROPHE:
        return _is_letter(row[place - 1]) and _is_letter(row[place + 1])
    if row[place] != _COMMA or not _is_digit(row[place - 1]) or place + 3 >= len(row):
        return False
    three = _is_digit(row[place + 1]) and _is_digit(row[place + 2]) and _is_digit(row[place + 3])
    return three and not (place + 4 < len(row) and _is_digit(row[place + 4]))


@jit
def _rewrite(row: Bytes, plain: Bytes) -> int:
    """Copy a row without what vanishes, and a line feed after it; returns its new size."""
    size = 0
    for place in range(len(row)):
        if not _vanishes(row, place):
            plain[size] = row[place]
            size += 1
    plain[size] = 10
    return size


@jit
def _fold_row(data: Bytes, letters: Bytes, numerals: Bytes, size: int) -> None:
    """Letters in lower case, and numbers, each with 0 for all else."""
    before = data[0] & 0
    for place in range(size):
        code = data[place]
        upper = (code >= 65) & (code <= 90)
        is_letter = _is_letter(code)
        is_point = (code == _POINT) & _is_digit(before) & _is_digit(data[place + 1])
        is_number = _is_digit(code) | is_point
        letters[place] = (code | (upper << 5)) if is_letter else 0
        numerals[place] = (_POINT_INSIDE if is_point else code) if is_number else 0
        before = code


@jit
def _is_among(value: np.uint64, values: Hashes) -> bool:
    found = False
    for other in values:
        found |= bool(value == other)
    return found


@jit
def hash_tokens(data: Bytes, begins: Starts, ends: Starts, silent: Hashes) -> tuple[Hashes, Starts]:
    """See `backend.Kernels`."""
    hashes = np.empty(len(data), np.uint64)
    token_starts = np.empty(len(begins) + 1, np.int64)
    scratch = longest(begins, ends) + SCRATCH
    letters, numerals, plain = np.zeros(scratch, np.uint8), np.zeros(scratch, np.uint8), np.zeros(scratch, np.uint8)
    may_be_silent = np.zeros(1 << _MARK_BITS, np.bool_)  # by their upper bits: few others share those
    for hashed in silent:
        may_be_silent[hashed >> _MARK_SHIFT] = True
    count = 0
    for row in range(len(begins)):
        token_starts[row] = count
        size = ends[row] - begins[row]
        source = data[begins[row] :]
        if _is_to_rewrite(source, size):
            size = _rewrite(source[:size], plain)
            source = plain
        padded = (size // BLOCK + 1) * BLOCK
        _fold_row(source, letters, numerals, padded)
        letters[size] = numerals[size] = 0
        words_before = numbers_before = _NONE
        for base in range(0, padded, BLOCK):
            words, numbers = ~equal_bytes(letters, base, _NONE), ~equal_bytes(numerals, base, _NONE)
            if size - base < BLOCK:
                words &= (_ONE << _U(size - base)) - _ONE
                numbers &= (_ONE << _U(size - base)) - _ONE
            firsts = (words & ~((words << _ONE) | words_before)) | (numbers & ~((numbers << _ONE) | numbers_before))
            words_before, numbers_before = words >> _U(63), numbers >> _U(63)
            while firsts:
                place = base + trailing_zeros(firsts)
                firsts &= firsts - _ONE
                hashed = hash_word(letters, place) if letters[place] else hash_word(numerals, place)
                hashes[count] = hashed
                count += not (may_be_silent[hashed >> _MARK_SHIFT] and _is_among(hashed, silent))
    token_starts[-1] = count
    return hashes[:count], token_starts
