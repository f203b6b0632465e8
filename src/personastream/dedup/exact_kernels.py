"""The loops of `exact_index`, compiled. Tables are given twice: as uint32[lines, 16], and as fields of tails."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.jit import jit, match_fields, prefetch

Lines = NDArray[np.uint32]
Keys = NDArray[np.uint64]
New = NDArray[np.bool_]

_AHEAD_KEYS = 12  # how far ahead lines are fetched: about what the memory delivers at a time


class Layout(NamedTuple):
    """How a line of 64 bytes is used: `slots` heads of 4 bytes, as many tails of another size, and a count of 4 bytes.

    Heads come first. Tails begin at field `tails_from` of the line taken as fields of their size, the count is word
    `count_at`.
    """

    slots: int
    tails_from: int
    count_at: int


@jit
def line_of(key: np.uint64, lines: int) -> np.int64:
    """Where a key is at home: its upper half, scaled to the number of lines."""
    return np.int64(((key >> np.uint64(32)) * np.uint64(lines)) >> np.uint64(32))


@jit
def _holds(table: Lines, tails: NDArray[Any], layout: Layout, line: np.int64, head: np.uint64, tail: np.uint64) -> bool:
    in_use = (np.uint64(1) << np.uint64(table[line, layout.count_at])) - np.uint64(1)
    same_tail = match_fields(tails, line, tail) >> np.uint64(layout.tails_from)
    return bool((match_fields(table, line, head) & same_tail & in_use) != np.uint64(0))


@jit
def _search(
    table: Lines, tails: NDArray[Any], layout: Layout, head: np.uint64, tail: np.uint64
) -> tuple[np.int64, bool]:
    """The line where a key is, or where it would go; and whether it is there."""
    line = line_of(head, len(table))
    while True:
        if _holds(table, tails, layout, line, head, tail):
            return line, True
        if table[line, layout.count_at] < layout.slots:
            return line, False
        line = line + np.int64(1) if line + 1 < len(table) else np.int64(0)


@jit
def insert(
    table: Lines, tails: NDArray[Any], layout: Layout, heads: Keys, rests: Keys, new: New, at: int, room: int
) -> int:
    """Insert keys from `at` on whose `new` is true, and set it to false for those that are there.

    `heads` says where a key is at home and gives its head, `rests` its tail. Stops before the key that would be
    inserted beyond `room`; returns where that was.
    """
    for place in range(at, len(heads)):
        if place + _AHEAD_KEYS < len(heads):
            prefetch(table, line_of(heads[place + _AHEAD_KEYS], len(table)))
        if not new[place]:
            continue
        line, there = _search(table, tails, layout, heads[place], rests[place])
        if there:
            new[place] = False
        elif room == 0:
            return place
        else:
            count = table[line, layout.count_at]
            table[line, count] = np.uint32(heads[place])
            tails[line, layout.tails_from + count] = rests[place]
            table[line, layout.count_at] = count + 1
            room -= 1
    return len(heads)


@jit
def find(table: Lines, tails: NDArray[Any], layout: Layout, heads: Keys, rests: Keys, new: New, at: int) -> None:
    """Set `new` to false for keys from `at` on that are there."""
    for place in range(at, len(heads)):
        if place + _AHEAD_KEYS < len(heads):
            prefetch(table, line_of(heads[place + _AHEAD_KEYS], len(table)))
        if new[place] and _search(table, tails, layout, heads[place], rests[place])[1]:
            new[place] = False
