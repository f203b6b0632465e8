"""Which JSON lines are of one plain form, compiled: `core.rows` says what that form is."""

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.backend import Bytes, Starts
from personastream.dedup.jit import equal_bytes, jit, lower_bytes
from personastream.dedup.lines import Number

_U = np.uint64
_NONE, _ONE = _U(0), _U(1)
_BLOCK = 64
_QUOTE, _BACKSLASH, _SPACE, _BEYOND_ASCII = _U(0x22), _U(0x5C), _U(0x20), _U(0x80)

Marks = NDArray[np.bool_]


@jit
def _has(data: Bytes, at: Number, wanted: Bytes) -> bool:
    found = True
    for place in range(len(wanted)):
        found &= bool(data[at + place] == wanted[place])
    return found


@jit
def _is_utf8(data: Bytes, at: Number, stop: Number) -> bool:
    """Whether bytes are well-formed (Unicode Standard, table 3-7), if an ASCII character follows them."""
    while at < stop:
        lead, low, high = data[at], 0x80, 0xBF
        at += 1
        if lead < 0x80:
            continue
        if lead < 0xC2 or lead > 0xF4:
            return False
        if lead >= 0xE0:
            low = 0xA0 if lead == 0xE0 else 0x90 if lead == 0xF0 else low
            high = 0x9F if lead == 0xED else 0x8F if lead == 0xF4 else high
        if data[at] < low or data[at] > high:
            return False
        at += 1
        for _ in range((lead >= 0xE0) + (lead >= 0xF0)):
            if data[at] & 0xC0 != 0x80:
                return False
            at += 1
    return True


@jit
def _is_plain(data: Bytes, start: Number, stop: Number) -> bool:
    """Whether it is a JSON string as it stands: UTF-8 without quotes, backslashes and control characters."""
    beyond_ascii = _NONE
    for base in range(start, stop, _BLOCK):
        inside = ~_NONE if stop - base >= _BLOCK else (_ONE << _U(stop - base)) - _ONE
        odd = equal_bytes(data, base, _QUOTE) | equal_bytes(data, base, _BACKSLASH) | lower_bytes(data, base, _SPACE)
        if odd & inside != _NONE:
            return False
        beyond_ascii |= ~lower_bytes(data, base, _BEYOND_ASCII) & inside
    return beyond_ascii == _NONE or _is_utf8(data, start, stop)


@jit
def unsure_lines(data: Bytes, begins: Starts, ends: Starts, head: Bytes, tail: Bytes, blanks: Marks) -> Marks:
    """Which lines are not, for certain, a text between `head` and `tail`, bool[n].

    A text that begins with one of the bytes in `blanks`, bool[256], may be blank. Behind the last line are 64 bytes.
    """
    unsure = np.ones(len(begins), np.bool_)
    for row in range(len(begins)):
        start, stop = begins[row] + len(head), ends[row] - len(tail)
        if start < stop and _has(data, begins[row], head) and _has(data, stop, tail) and not blanks[data[start]]:
            unsure[row] = not _is_plain(data, start, stop)
    return unsure
