"""The loops of `exact_index`, compiled. Tables are given twice: as uint32[lines, 16], and as fields of tails."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.jit import count_ones, inlined, jit_bare, match_fields, prefetch

Lines = NDArray[np.uint32]
Keys = NDArray[np.uint64]
New = NDArray[np.bool_]

CHOICE_LINES = 64
"""Both lines that a key may go to are among so many, which are one page of memory. Tables are a multiple of it."""

_STEP_KEYS = 32  # lines of so many keys are fetched at a time: more than the memory delivers at once
_AWAY = 16  # the bits of a state from here on

_U = np.uint64


class Layout(NamedTuple):
    """How a line of 64 bytes is used: `slots` heads of 4 bytes, as many tails of another size, and a state of 4 bytes.

    Heads come first. Tails begin at field `tails_from` of the line taken as fields of their size, the state is word
    `state_at`. It has a bit for each slot in use, of the low half for a key that is at home here, of the high half
    for one that has come from another line; slots are taken in order.
    """

    slots: int
    tails_from: int
    state_at: int


@inlined
def home_of(head: np.uint64, lines: int) -> np.int64:
    """Where a key is at home: its upper half, scaled to the number of lines."""
    return np.int64(((head >> _U(32)) * _U(lines)) >> _U(32))


@inlined
def other_of(home: np.int64, head: np.uint64) -> np.int64:
    """The other line a key may go to, by its low 32 bits, which a line keeps: it and the key's rest tell the home."""
    return home ^ np.int64(_U(1) + (((head & _U(0xFFFF_FFFF)) * _U(CHOICE_LINES - 1)) >> _U(32)))


@inlined
def _same_tails(tails: NDArray[Any], layout: Layout, line: np.int64, tail: np.uint64) -> np.uint64:
    """A bit for each slot with that tail, and others beyond them."""
    return match_fields(tails, line, tail) >> _U(layout.tails_from)


@inlined
def _search(
    table: Lines, tails: NDArray[Any], layout: Layout, head: np.uint64, tail: np.uint64
) -> tuple[np.int64, bool]:
    """Where a key would go, and whether it is there already; then the line means nothing."""
    home = home_of(head, len(table))
    other = other_of(home, head)
    home_state, other_state = _U(table[home, layout.state_at]), _U(table[other, layout.state_at])
    at_home = match_fields(table, home, head) & home_state
    away = match_fields(table, other, head) & (other_state >> _U(_AWAY))
    if at_home | away != _U(0):  # else the key is new, as good as always
        at_home &= _same_tails(tails, layout, home, tail)
        if at_home | (away & _same_tails(tails, layout, other, tail)) != _U(0):
            return home, True
    home_count, other_count = count_ones(home_state), count_ones(other_state)
    if home_count + other_count == 2 * layout.slots:
        return _search_on(table, tails, layout, other, head, tail)
    return (other if other_count < home_count else home), False


@jit_bare
def _search_on(
    table: Lines, tails: NDArray[Any], layout: Layout, line: np.int64, head: np.uint64, tail: np.uint64
) -> tuple[np.int64, bool]:
    """As `_search`, in the lines after `line`: both that the key may go to are full."""
    while True:
        line = line + np.int64(1) if line + 1 < len(table) else np.int64(0)
        state = _U(table[line, layout.state_at])
        away = match_fields(table, line, head) & (state >> _U(_AWAY))
        if away & _same_tails(tails, layout, line, tail) != _U(0):
            return line, True
        if count_ones(state) < layout.slots:
            return line, False


@inlined
def _approach(table: Lines, layout: Layout, heads: Keys, start: int, stop: int) -> None:
    """Have the lines of keys from `start` to `stop - 1` in the cache, and those of as many more on their way.

    Fetches that find too many under way are dropped, so each line is read once, by loads that do not wait for each
    other.
    """
    for place in range(stop, min(2 * stop - start, len(heads))):
        home = home_of(heads[place], len(table))
        prefetch(table, home)
        prefetch(table, other_of(home, heads[place]))
    for place in range(start, stop):
        home = home_of(heads[place], len(table))
        other = other_of(home, heads[place])
        both = count_ones((_U(table[home, layout.state_at]) << _U(32)) | _U(table[other, layout.state_at]))
        if both == 2 * layout.slots and other + 1 < len(table):
            prefetch(table, other + 1)


@jit_bare
def insert(
    table: Lines, tails: NDArray[Any], layout: Layout, heads: Keys, rests: Keys, new: New, at: int, room: int
) -> int:
    """Insert keys from `at` on whose `new` is true, and set it to false for those that are there.

    `heads` says where a key is at home and gives its head, `rests` its tail. Stops before the key that would be
    inserted beyond `room`; returns where that was.
    """
    for start in range(at, len(heads), _STEP_KEYS):
        stop = min(start + _STEP_KEYS, len(heads))
        _approach(table, layout, heads, start, stop)
        for place in range(start, stop):
            if not new[place]:
                continue
            line, there = _search(table, tails, layout, heads[place], rests[place])
            if there:
                new[place] = False
            elif room == 0:
                return place
            else:
                slot = count_ones(_U(table[line, layout.state_at]))
                away = _AWAY * (line != home_of(heads[place], len(table)))
                table[line, slot] = np.uint32(heads[place])
                tails[line, layout.tails_from + slot] = rests[place]
                table[line, layout.state_at] |= np.uint32(1) << np.uint32(slot + away)
                room -= 1
    return len(heads)


@jit_bare
def find(table: Lines, tails: NDArray[Any], layout: Layout, heads: Keys, rests: Keys, new: New, at: int) -> None:
    """Set `new` to false for keys from `at` on that are there."""
    for start in range(at, len(heads), _STEP_KEYS):
        stop = min(start + _STEP_KEYS, len(heads))
        _approach(table, layout, heads, start, stop)
        for place in range(start, stop):
            if new[place] and _search(table, tails, layout, heads[place], rests[place])[1]:
                new[place] = False
