"""Packed texts brought into form by the tables of `fold`, compiled: UTF-8 in, UTF-8 out, rows of ASCII as they are."""

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.jit import jit
from personastream.dedup.lines import Number

Bytes = NDArray[np.uint8]
Starts = NDArray[np.int64]

HARD = 0xFFFF
_PADDING_BYTES = 64
_SPACE, _LINE_FEED = 32, 10


@jit
def _copy(row: Bytes, formed: Bytes) -> bool:
    """Copy a row; and whether it is of ASCII alone."""
    every = np.uint8(0)
    for place in range(len(row)):
        formed[place] = row[place]
        every |= row[place]
    return bool(every < 128)


@jit
def _decode(data: Bytes, place: Number) -> tuple[Number, Number]:
    """The character at `place`, `HARD` for those beyond the first 65,535, and where the next one is."""
    first = np.int64(data[place])
    if first < 0x80:
        return first, place + 1
    second = np.int64(data[place + 1]) & 0x3F
    if first < 0xE0:
        return (first & 0x1F) << 6 | second, place + 2
    if first < 0xF0:
        return (first & 0x0F) << 12 | second << 6 | (np.int64(data[place + 2]) & 0x3F), place + 3
    return HARD, place + 4


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


@jit
def _form_row(
    data: Bytes, begin: Number, end: Number, table: NDArray[np.uint32], places: Bytes, formed: Bytes, at: Number
) -> Number:
    """Write a row in its form; returns where it ends, or -1 if it holds a character that is not to be looked up."""
    while begin < end:
        code, begin = _decode(data, begin)
        other = np.int64(table[code])
        if other == HARD:
            return -1
        apart = places[code] == 3
        if apart:
            formed[at] = _SPACE
            at += 1
        at = _encode(other, formed, at)
        if apart:
            formed[at] = _SPACE
            at += 1
    return at


@jit
def form_rows(
    data: Bytes, begins: Starts, ends: Starts, table: NDArray[np.uint32], places: Bytes
) -> tuple[Bytes, Starts, Starts, NDArray[np.bool_]]:
    """See `backend.Kernels`."""
    formed = np.empty(2 * len(data) + _PADDING_BYTES, np.uint8)
    new_begins, new_ends = np.empty_like(begins), np.empty_like(ends)
    hard = np.zeros(len(begins), np.bool_)
    at = 0
    for row in range(len(begins)):
        new_begins[row] = at
        begin, end = begins[row], ends[row]
        stop = at + end - begin
        if not _copy(data[begin:end], formed[at:]):
            formed_to = _form_row(data, begin, end, table, places, formed, at)
            hard[row] = formed_to < 0
            if hard[row]:
                _copy(data[begin:end], formed[at:])
            else:
                stop = formed_to
        new_ends[row] = stop
        formed[stop] = _LINE_FEED
        at = stop + 1
    formed[at : at + _PADDING_BYTES] = 0
    return formed[: at + _PADDING_BYTES], new_begins, new_ends, hard
