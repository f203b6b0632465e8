"""The distinct words of rows, and 16-bit marks of them, by which sets are compared word by word. Compiled."""

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.constants import SKETCH_SIZE_MAX
from personastream.dedup.jit import jit, jit_bare
from personastream.dedup.lines import Number

FEW_WORDS_MAX = 64
"""Of more words, repetitions are found by sorting."""
SEEN = 512
"""Slots to find them among so few words: two of those hardly meet."""

_MARK_SHIFT = np.uint64(32)  # neither sketch depends on the 16 bits from here on

Words = NDArray[np.uint64]
Marks = NDArray[np.uint16]
Starts = NDArray[np.int64]


@jit
def sort_distinct(hashes: Words, distinct: Words) -> Number:
    """Set `distinct` to the distinct values of a row; returns how many. However they crowd, it takes no longer."""
    ordered, count = np.sort(hashes), 0
    for place in range(len(ordered)):
        if place == 0 or ordered[place] != ordered[place - 1]:
            distinct[count] = ordered[place]
            count += 1
    return count


@jit_bare
def set_distinct(hashes: Words, start: Number, stop: Number, distinct: Words, seen: Starts) -> Number:
    """As `sort_distinct`, by a table of places where values have been `seen`. Those before `start` are of no row."""
    count = 0
    for place in range(start, stop):
        slot = np.int64(hashes[place] & np.uint64(SEEN - 1))
        while seen[slot] >= start and hashes[seen[slot]] != hashes[place]:
            slot = (slot + 1) & (SEEN - 1)
        distinct[count] = hashes[place]
        count += seen[slot] < start
        seen[slot] = place
    return count


@jit
def marks(hashes: Words, starts: Starts) -> tuple[Marks, Starts]:
    """The marks of the distinct words of each row, and where each row's start; none of a row of 255 words or more."""
    found, mark_starts, count = np.empty(len(hashes), np.uint16), np.zeros(len(starts), np.int64), 0
    distinct, seen = np.empty(len(hashes), np.uint64), np.full(SEEN, -1, np.int64)
    for row in range(len(starts) - 1):
        if starts[row + 1] - starts[row] > FEW_WORDS_MAX:
            words = sort_distinct(hashes[starts[row] : starts[row + 1]], distinct)
        else:
            words = set_distinct(hashes, starts[row], starts[row + 1], distinct, seen)
        count = add_marks(distinct, words, found, count)
        mark_starts[row + 1] = count
    return found[:count], mark_starts


@jit_bare
def add_marks(distinct: Words, words: Number, found: Marks, count: Number) -> Number:
    """Add the marks of a row's distinct words; returns how many there are."""
    if words >= SKETCH_SIZE_MAX:
        return count
    for place in range(words):
        found[count + place] = np.uint16(distinct[place] >> _MARK_SHIFT)
    return count + words


@jit_bare
def similarity(first: Marks, start: Number, stop: Number, second: Marks, begin: Number, end: Number) -> Number:
    """The Jaccard similarity of two sets by their marks; too high, if ever, where words have a mark in common.

    Words count as common if their marks are there on either side, and as often as on the side that has fewer of them.
    """
    common: Number = min(
        _found(first, start, stop, second, begin, end),
        _found(second, begin, end, first, start, stop),
    )
    return common / (stop - start + end - begin - common)


@jit_bare
def _found(first: Marks, start: Number, stop: Number, second: Marks, begin: Number, end: Number) -> Number:
    """How many of the first marks are among the second ones, where most of them stand in the same order."""
    count, expected = 0, begin
    for place in range(start, stop):
        if expected == end or second[expected] != first[place]:
            expected = begin
            while expected < end and second[expected] != first[place]:
                expected += 1
            if expected == end:
                continue
        count += 1
        expected += 1
    return count
