"""Rows brought into form by the tables of `fold`, compiled: UTF-8 in, UTF-8 out."""

import numpy as np

from personastream.dedup.backend import Bytes, Formed, Starts, Table
from personastream.dedup.fold import APART, CLASS_SHIFT, FIRST, HARD, MARK, SECOND
from personastream.dedup.jit import equal_bytes, jit, pasted, trailing_zeros
from personastream.dedup.lines import Number

_PADDING_BYTES = 64
_SPACE, _LINE_FEED = 32, 10
_BEYOND_ASCII = 0x80
_FORM = 0xFFFF


@jit
def line_ends(data: Bytes, lines: Number) -> Starts:
    """Where the lines of `data` end, behind which are 64 bytes of padding; stops where there are more than `lines`."""
    ends, count = np.empty(lines + 64, np.int64), 0
    for base in range(0, len(data) - _PADDING_BYTES, 64):
        found = equal_bytes(data, base, np.uint64(_LINE_FEED))
        while found:
            ends[count] = base + trailing_zeros(found)
            found &= found - np.uint64(1)
            count += 1
        if count > lines:
            break
    return ends[:count]


@jit
def _copy(row: Bytes, formed: Bytes) -> bool:
    """Copy a row; and whether it is of ASCII alone."""
    every = np.uint8(0)
    for place in range(len(row)):
        formed[place] = row[place]
        every |= row[place]
    return bool(every < _BEYOND_ASCII)


@jit
def _decode(data: Bytes, place: Number) -> tuple[Number, Number]:
    """The character beyond ASCII at `place`, `HARD` for those from 65,536 on, and where the next one is."""
    first, second = np.int64(data[place]), np.int64(data[place + 1]) & 0x3F
    if first < 0xE0:
        return (first & 0x1F) << 6 | second, place + 2
    if first < 0xF0:
        return (first & 0x0F) << 12 | second << 6 | (np.int64(data[place + 2]) & 0x3F), place + 3
    return HARD, place + 4


@jit
def _joins(entry: Number, last_class: Number, first: Number) -> Number:
    """Whether a character may join or change places with those before.

    Of those the last one ends in `last_class`, and `first` is not 0 if the last that is no mark may be first of a pair.
    """
    return (entry & SECOND and first) or (entry & MARK and entry >> CLASS_SHIFT < last_class)


@jit
def _encode(code: Number, formed: Bytes, at: Number) -> Number:
    """Write a character; returns where it ends."""
    if code < 0x80:
        formed[at] = code
        return at + 1
    if code < 0x800:
        formed[at] = 0xC0 | code >> 6
        formed[at + 1] = 0x80 | code & 0x3F
        return at + 2
    formed[at] = 0xE0 | code >> 12
    formed[at + 1] = 0x80 | code >> 6 & 0x3F
    formed[at + 2] = 0x80 | code & 0x3F
    return at + 3


@pasted
def form_row(data: Bytes, begin: Number, end: Number, table: Table, formed: Bytes, at: Number) -> Number:
    """Write a row as words are found in it; returns where it ends, or -1 if it is hard."""
    stop = at + end - begin
    if not _copy(data[begin:end], formed[at:]):
        stop = _form_words(data, begin, end, table, formed, at)
    return stop


@jit
def _form_words(data: Bytes, begin: Number, end: Number, table: Table, formed: Bytes, at: Number) -> Number:
    """`form_row`, character by character."""
    last_class, first = 0, 0
    while begin < end:
        if data[begin] < _BEYOND_ASCII:
            last_class, first = 0, FIRST
            formed[at] = data[begin]
            at += 1
            begin += 1
            continue
        code, begin = _decode(data, begin)
        entry: Number = np.int64(table[code])
        if entry == HARD or _joins(entry, last_class, first):
            return -1
        last_class, first = entry >> CLASS_SHIFT, first if entry & MARK else entry & FIRST
        if entry & APART:
            formed[at] = _SPACE
            at = _encode(entry & _FORM, formed, at + 1)
            formed[at] = _SPACE
            at += 1
        else:
            at = _encode(entry & _FORM, formed, at)
    return at


@jit
def form_rows(data: Bytes, begins: Starts, ends: Starts, table: Table) -> Formed:
    """See `backend.Kernels`."""
    formed = np.empty(2 * len(data) + _PADDING_BYTES, np.uint8)
    new_begins, new_ends = np.empty_like(begins), np.empty_like(ends)
    left = np.zeros(len(begins), np.bool_)
    at = 0
    for row in range(len(begins)):
        stop = form_row(data, begins[row], ends[row], table, formed, at)
        left[row] = stop < 0
        new_begins[row], new_ends[row] = at, max(at, stop)
        formed[new_ends[row]] = _LINE_FEED
        at = new_ends[row] + 1
    formed[at : at + _PADDING_BYTES] = 0
    return formed[: at + _PADDING_BYTES], new_begins, new_ends, left


@jit
def _lower_row(data: Bytes, size: Number, lowered: Bytes) -> bool:
    """Copy a row, behind which is no space, with ASCII in lower case; and whether that is its normal form."""
    odd = size > 0 and bool((data[0] == _SPACE) | (data[size - 1] == _SPACE))
    for place in range(size):
        code = data[place]
        odd |= bool((code >= _BEYOND_ASCII) | (code < _SPACE) | ((code == _SPACE) & (data[place + 1] <= _SPACE)))
        lowered[place] = code | (((code >= 65) & (code <= 90)) << 5)
    return not odd


@jit
def _is_space(code: Number) -> bool:
    """Whether a character of ASCII is white space to Python."""
    return bool((code == _SPACE) | ((code >= 9) & (code <= 13)) | ((code >= 28) & (code <= 31)))


@pasted
def normal_row(data: Bytes, begin: Number, end: Number, table: Table, formed: Bytes, at: Number) -> Number:
    """Write the normal form of a row, behind which is no space; returns where it ends, or -1 if it is hard."""
    stop = at + end - begin
    if not _lower_row(data[begin:], end - begin, formed[at:]):
        stop = _form_normal(data, begin, end, table, formed, at)
    return stop


@jit
def _form_normal(data: Bytes, begin: Number, end: Number, table: Table, formed: Bytes, at: Number) -> Number:
    """`normal_row`, character by character."""
    start, spaced, last_class, first = at, False, 0, 0
    while begin < end:
        if data[begin] < _BEYOND_ASCII:
            last_class, first = 0, FIRST
            form: Number = np.int64(data[begin])
            form = _SPACE if _is_space(form) else form + (32 if 65 <= form <= 90 else 0)
            begin += 1
        else:
            code, begin = _decode(data, begin)
            entry: Number = np.int64(table[code])
            if entry == HARD or _joins(entry, last_class, first):
                return -1
            last_class, first = entry >> CLASS_SHIFT, first if entry & MARK else entry & FIRST
            form = entry & _FORM
        if form == _SPACE:
            spaced = at > start
            continue
        if spaced:
            formed[at] = _SPACE
            at += 1
            spaced = False
        at = _encode(form, formed, at)
    return at


@jit
def normal_rows(data: Bytes, begins: Starts, ends: Starts, table: Table) -> Formed:
    """See `backend.Kernels`."""
    formed = np.empty(2 * len(data) + _PADDING_BYTES, np.uint8)
    new_begins, new_ends = np.empty_like(begins), np.empty_like(ends)
    left = np.zeros(len(begins), np.bool_)
    at = 0
    for row in range(len(begins)):
        stop = normal_row(data, begins[row], ends[row], table, formed, at)
        left[row] = stop < 0
        new_begins[row], new_ends[row] = at, max(at, stop)
        formed[new_ends[row]] = _LINE_FEED
        at = new_ends[row] + 1
    formed[at : at + _PADDING_BYTES] = 0
    return formed[: at + _PADDING_BYTES], new_begins, new_ends, left
