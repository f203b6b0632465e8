"""The loops of `simhash_index`, compiled. What the tables hold is described there."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.jit import count_ones, empty_lines, jit_bare, prefetch, trailing_zeros
from personastream.dedup.lines import (
    IN_USE,
    SENT_AWAY,
    STATE,
    WALK_LINES,
    Number,
    Table,
    claim,
    gone,
    line_of,
    mix,
    reach,
    words_within_3,
    words_within_6,
)
from personastream.dedup.sketch_kernels import similarity_bound

ENTRIES_MAX = 15
_FEW = 3

_GOLDEN = 0x9E37_79B1  # the prime next to 2^32 divided by the golden ratio: multiplicative hashing (Knuth)
_ELSEWHERE = 0x9E37_79B9  # any constant: it only tells the second home of a row from the first
_AHEAD_HALVES = 500  # to look up, of either half; few of them are there
_AHEAD_ROWS = 16

Words = NDArray[np.uint64]
Keys = NDArray[np.uint32]
Found = NDArray[np.uint64]
Hits = NDArray[np.uint32]


class Side(NamedTuple):
    """One half of signatures: the table of those that have it, and which values of it are there.

    `present` is uint64[n, 4], rows of 256 bits. For each byte of a value there is a row, named by the other three
    bytes, in which the bit of that byte is set: values that differ in that byte alone share the row.
    """

    table: Table
    present: Words


class Store(NamedTuple):
    """Where kept rows are: by either half, an id for each entry of `low`, evidence uint64[rows, 3] by id."""

    low: Side
    high: Side
    ids: Table
    evidence: Words


class Flips(NamedTuple):
    """Which bits of a half to flip, grouped by the row of `Side.present` that tells of the outcome.

    Group i flips the bits `outer[i]`, and some of the byte from bit `shifts[i]` on: of its 256 values
    `patterns[kinds[i], byte]`, uint64[4], has those that it is flipped to.
    """

    outer: Keys
    shifts: Keys
    kinds: Keys
    patterns: NDArray[np.uint64]


class Rule(NamedTuple):
    """What makes a near copy, and the flips of either half that find them all: in `low` of up to `low_flips` bits."""

    low: Flips
    high: Flips
    low_flips: int
    distance_max: int
    similarity_min: float


def empty_table(lines: int) -> Table:
    """A table for keys at home in `lines` lines."""
    return empty_lines(lines + WALK_LINES)


def empty_bits(count: int) -> Words:
    """What `Side.present` is at first, with at least so many bits."""
    return empty_lines(count // 512 + 1).view(np.uint64).reshape(-1, 4)


def room(looked_up_max: int) -> tuple[Hits, Found]:
    """What `insert` notes on the way, if so many values of a half are looked up: those of next rows, what one found."""
    turns = 2
    while turns * looked_up_max < _AHEAD_HALVES:
        turns *= 2
    return np.empty((turns, 2, 1 + looked_up_max), np.uint32), np.empty(looked_up_max * WALK_LINES, np.uint64)


@jit_bare
def insert(
    rows: Words, start: Number, new: NDArray[np.bool_], store: Store, rule: Rule, kept: Number, hits: Hits, found: Found
) -> tuple[Number, Number, Number]:
    """Decide on `rows` from `start` on and keep the new ones, until the evidence is full.

    Returns the row where it stopped, how many are kept now, and how many entries found no room.
    """
    turns = len(hits) - 1  # one less than a power of two
    given_up = 0
    for row in range(start, min(start + 2 * turns, len(rows))):
        _fetch_bits(rows, row, store, rule)
    for row in range(start, min(start + turns, len(rows))):
        _set_hits(rows, row, hits[row & turns], store, rule)
    for row in range(start, len(rows)):
        if row + 2 * turns < len(rows):
            _fetch_bits(rows, row + 2 * turns, store, rule)
        if row + turns < len(rows):
            _set_hits(rows, row + turns, hits[(row + turns) & turns], store, rule)
        has_words = rows[row, 2] >> np.uint64(56) != np.uint64(0)
        new[row] = not (has_words and _is_near_copy(rows, row, hits[row & turns], found, store, rule))
        if new[row] and has_words:
            for word in range(rows.shape[1]):
                store.evidence[kept, word] = rows[row, word]
            given_up += _place(kept, store)
            kept += 1
            if kept == len(store.evidence):
                return row + 1, kept, given_up
            for other in range(row + 1, min(row + 1 + turns, len(rows))):  # looked up before this row was there
                if count_ones(rows[row, 0] ^ rows[other, 0]) <= rule.distance_max:
                    _set_hits(rows, other, hits[other & turns], store, rule)
    return len(rows), kept, given_up


@jit_bare
def place(start: Number, stop: Number, store: Store) -> Number:
    """Enter the rows `start` to `stop - 1` of the evidence; returns how many entries found no room."""
    given_up = 0
    for row in range(start, stop):
        if row + _AHEAD_ROWS < stop:
            signature = store.evidence[row + _AHEAD_ROWS, 0]
            for half, side in ((np.uint32(signature), store.low), (np.uint32(signature >> np.uint64(32)), store.high)):
                for byte in range(4):
                    prefetch(side.present, _row_of(half, np.uint32(8 * byte), side.present))
                prefetch(side.table, _home(mix(half), side.table))
            prefetch(store.ids, _home(mix(np.uint32(signature)), store.low.table))
        given_up += _place(row, store)
    return given_up


@jit_bare
def _home(key: Number, table: Table) -> Number:
    """The line where a key is at home."""
    return line_of(key, len(table) - WALK_LINES)


@jit_bare
def _row_of(half: Number, shift: Number, present: Words) -> Number:
    """The row of `Side.present` that tells of the byte from bit `shift` on."""
    others = half & ~np.uint32(np.uint32(255) << shift)
    return line_of(np.uint32(others * np.uint32(_GOLDEN)), len(present))


@jit_bare
def _fetch_bits(rows: Words, row: Number, store: Store, rule: Rule) -> None:
    """Fetch what tells which flipped halves of a row are there."""
    _fetch_bits_of(np.uint32(rows[row, 0]), store.low, rule.low)
    _fetch_bits_of(np.uint32(rows[row, 0] >> np.uint64(32)), store.high, rule.high)


@jit_bare
def _fetch_bits_of(half: Number, side: Side, flips: Flips) -> None:
    for group in range(len(flips.outer)):
        prefetch(side.present, _row_of(half ^ flips.outer[group], flips.shifts[group], side.present))


@jit_bare
def _set_hits(rows: Words, row: Number, hits: Hits, store: Store, rule: Rule) -> None:
    """List which flipped halves of a row are there, and fetch where. Also where the row itself may go."""
    low, high = np.uint32(rows[row, 0]), np.uint32(rows[row, 0] >> np.uint64(32))
    _set_hits_of(low, hits[0], store.low, rule.low)
    _set_hits_of(high, hits[1], store.high, rule.high)
    home = _home(mix(low), store.low.table)
    prefetch(store.low.table, home)
    prefetch(store.ids, home)
    prefetch(store.high.table, _home(mix(high), store.high.table))


@jit_bare
def _set_hits_of(half: Number, hits: Keys, side: Side, flips: Flips) -> None:
    """List the flipped halves that are there; their number first."""
    count = np.uint64(0)
    for group in range(len(flips.outer)):
        shift = flips.shifts[group]
        row = np.uint64(_row_of(half ^ flips.outer[group], shift, side.present))
        others = (half ^ flips.outer[group]) & ~np.uint32(np.uint32(255) << shift)
        byte = (half >> shift) & np.uint32(255)
        for word in range(np.uint64(4)):
            there = side.present[row, word] & flips.patterns[flips.kinds[group], byte, word]
            while there:
                value = np.uint32(word << np.uint64(6)) | np.uint32(trailing_zeros(there))
                there &= there - np.uint64(1)
                count += np.uint64(1)
                hits[count] = others | (value << shift)
                prefetch(side.table, _home(mix(hits[count]), side.table))
    hits[np.uint64(0)] = count


@jit_bare
def _is_near_copy(rows: Words, row: Number, hits: Hits, found: Found, store: Store, rule: Rule) -> bool:
    """Whether some kept row is a near copy of `row`, of which these flipped halves are there."""
    low, high = np.uint32(rows[row, 0]), np.uint32(rows[row, 0] >> np.uint64(32))
    count = _find(store.low.table, hits[0], high, rule.distance_max, found)
    if count > 0 and _is_alike_by_low(rows, row, found[:count], store, rule):
        return True
    count = _find(store.high.table, hits[1], low, rule.distance_max, found)
    return count > 0 and _is_alike_by_high(rows, row, hits[1], found[:count], store, rule)


@jit_bare
def _find(table: Table, halves: Keys, other: Number, distance_max: Number, found: Found) -> Number:
    """List in `found`, as `_pack` does, where lines of `halves` have entries near `other`; returns how many lines."""
    count = 0
    for place in range(1, 1 + halves[0]):
        key = mix(halves[place])
        home = _home(key, table)
        state = table[home, STATE]
        for line in range(home, home + 1 + gone(state, key) * reach(state)):
            near = _near(table, line, other, distance_max)
            if near:
                found[count] = _pack(line, place, near)
                count += 1
    return count


@jit_bare
def _near(table: Table, line: Number, half: Number, distance_max: Number) -> Number:
    """A bit for each entry of the line that is near to `half`: within 3 bits, or 6 if that is asked for."""
    if distance_max > _FEW:
        near = words_within_6(table, line, np.uint64(half))
    else:
        near = words_within_3(table, line, np.uint64(half))
    return near & np.uint64(table[line, STATE] & np.uint32(IN_USE))


@jit_bare
def _pack(line: Number, place: Number, near: Number) -> Number:
    """What was found, as 64 bits: line, place of the half in its list, a bit for each near entry."""
    return (np.uint64(line) << np.uint64(32)) | (np.uint64(place) << np.uint64(16)) | near


@jit_bare
def _unpack(found: Number) -> tuple[Number, Number, Number]:
    """Line, place and near entries, as they were packed."""
    place = np.int64((found >> np.uint64(16)) & np.uint64(0xFFFF))
    return np.int64(found >> np.uint64(32)), place, found & np.uint64(0xFFFF)


@jit_bare
def _is_alike_by_low(rows: Words, row: Number, found: Found, store: Store, rule: Rule) -> bool:
    """Whether some of these entries of `low` stands for a near copy of `row`."""
    for packed in found:
        line, _, near = _unpack(packed)
        if _is_any_alike(line, near, rows, row, store, rule):
            return True
    return False


@jit_bare
def _is_alike_by_high(rows: Words, row: Number, halves: Keys, found: Found, store: Store, rule: Rule) -> bool:
    """Whether some of these entries of `high`, found by these halves, leads to a near copy of `row`.

    What stands in `low` within the flips tried there has been looked at. Entries like an earlier one, and there may be
    hundreds alike, lead nowhere new.
    """
    low = np.uint32(rows[row, 0])
    table, seen, away, away_place = store.low.table, np.int64(-1), np.int64(-1), np.int64(-1)
    for packed in found:
        line, place, near = _unpack(packed)
        while near:
            other: Number = store.high.table[line, trailing_zeros(near)]
            near &= near - np.uint64(1)
            home = _home(mix(other), table)
            if other != seen and count_ones(np.uint64(other ^ low)) > rule.low_flips:
                seen = np.int64(other)
                if _is_alike_at(home, rows, row, store, rule):
                    return True
            if (other != away or place != away_place) and table[home, STATE] & np.uint32(SENT_AWAY):
                away, away_place = np.int64(other), place
                home = _home(_second_key(other, halves[place]), table)
                if _is_alike_at(home, rows, row, store, rule):
                    return True
    return False


@jit_bare
def _is_alike_at(home: Number, rows: Words, row: Number, store: Store, rule: Rule) -> bool:
    """Whether an entry at home in this line of `low` stands for a near copy of `row`."""
    high = np.uint32(rows[row, 0] >> np.uint64(32))
    for line in range(home, home + 1 + reach(store.low.table[home, STATE])):
        near = _near(store.low.table, line, high, rule.distance_max)
        if _is_any_alike(line, near, rows, row, store, rule):
            return True
    return False


@jit_bare
def _is_any_alike(line: Number, near: Number, rows: Words, row: Number, store: Store, rule: Rule) -> bool:
    """Whether one of these entries of a line of `low` stands for a near copy of `row`."""
    while near:
        other = np.int64(store.ids[line, trailing_zeros(near)])
        near &= near - np.uint64(1)
        if _is_alike(store.evidence, other, rows, row, rule):
            return True
    return False


@jit_bare
def _is_alike(evidence: Words, other: Number, rows: Words, row: Number, rule: Rule) -> bool:
    """The verdict on two rows."""
    return count_ones(rows[row, 0] ^ evidence[other, 0]) <= rule.distance_max and (
        similarity_bound(rows[row, 1], rows[row, 2], evidence[other, 1], evidence[other, 2]) >= rule.similarity_min
    )


@jit_bare
def _place(row: Number, store: Store) -> Number:
    """Enter a row of the evidence by both halves; returns how many entries found no room."""
    low, high = np.uint32(store.evidence[row, 0]), np.uint32(store.evidence[row, 0] >> np.uint64(32))
    given_up, key = 0, mix(low)
    line, place = claim(store.low.table, _home(key, store.low.table), key, ENTRIES_MAX)
    if line < 0:
        given_up += 1
        key = _second_key(low, high)
        line, place = claim(store.low.table, _home(key, store.low.table), key, ENTRIES_MAX)
        if line < 0:
            return 2
    store.low.table[line, place] = high
    store.ids[line, place] = row
    _set_present(low, store.low)
    key = mix(high)
    line, place = claim(store.high.table, _home(key, store.high.table), key, ENTRIES_MAX)
    if line < 0:
        return given_up + 1
    store.high.table[line, place] = low
    _set_present(high, store.high)
    return given_up


@jit_bare
def _set_present(half: Number, side: Side) -> None:
    for number in range(4):
        shift = np.uint32(8 * number)
        byte = (half >> shift) & np.uint32(255)
        row = _row_of(half, shift, side.present)
        side.present[row, byte >> np.uint32(6)] |= np.uint64(1) << np.uint64(byte & np.uint32(63))


@jit_bare
def _second_key(low: Number, high: Number) -> Number:
    """Where `low` has a row that found no room at home: there it only serves to find its id."""
    return mix(np.uint32(low ^ mix(np.uint32(high ^ np.uint32(_ELSEWHERE)))))
