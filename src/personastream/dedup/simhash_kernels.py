"""The loops of `simhash_index`, compiled. What the tables hold is described there."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.jit import count_ones, empty_lines, jit, prefetch, trailing_zeros
from personastream.dedup.lines import (
    IN_USE,
    SENT_AWAY,
    STATE,
    WALK_LINES,
    Number,
    Table,
    any_within_3,
    any_within_6,
    claim,
    filter_mask,
    line_of,
    mix,
    reach,
    words_within_3,
    words_within_6,
)
from personastream.dedup.sketch_kernels import similarity_bound

ENTRIES_MAX = 15
_FEW = 3

_ELSEWHERE = 0x9E37_79B9  # any constant: it only tells the second home of a row from the first
_AHEAD_PROBES = 200  # what fits well into the fastest cache, of 512 lines
_AHEAD_ROWS = 16

Words = NDArray[np.uint64]
Keys = NDArray[np.uint32]
Found = NDArray[np.uint64]


class Store(NamedTuple):
    """Where kept rows are: two tables of halves, ids beside the entries of `low`, evidence uint64[rows, 3] by id.

    `key_bits` has a bit for each of the bits of a half that make its key.
    """

    low: Table
    high: Table
    ids: Keys
    evidence: Words
    key_bits: np.uint32


class Rule(NamedTuple):
    """What makes a near copy, and the key bits to flip in either half to find them all: in `low` up to `low_flips`."""

    low_masks: Keys
    high_masks: Keys
    low_flips: int
    distance_max: int
    similarity_min: float


def empty_table(lines: int) -> Table:
    """A table for keys at home in `lines` lines."""
    return empty_lines(lines + WALK_LINES)


@jit
def insert(
    rows: Words, start: Number, new: NDArray[np.bool_], store: Store, rule: Rule, kept: Number, kept_max: Number
) -> tuple[Number, Number, Number]:
    """Decide on `rows` from `start` on and keep the new ones, until `kept_max` are kept.

    Returns the row where it stopped, how many are kept now, and how many entries found no room.
    """
    probes = len(rule.low_masks) + len(rule.high_masks)
    ahead = max(1, _AHEAD_PROBES // probes)
    turns = ahead + 1
    filters, homes = np.empty((turns, probes), np.uint32), np.empty((turns, probes), np.uint32)
    found = np.empty(probes * WALK_LINES, np.uint64)
    given_up = 0
    for row in range(start, min(start + ahead, len(rows))):
        _set_probes(rows, row, filters[row % turns], homes[row % turns], store, rule)
    for row in range(start, len(rows)):
        now, coming = row % turns, (row + ahead) % turns
        if row + ahead < len(rows):
            _set_probes(rows, row + ahead, filters[coming], homes[coming], store, rule)
        has_words = rows[row, 2] >> np.uint64(56) != np.uint64(0)
        alike = has_words and _is_near_copy(rows, row, filters[now], homes[now], homes[coming], found, store, rule)
        new[row] = not alike
        if new[row] and has_words:
            store.evidence[kept] = rows[row]
            given_up += _place(kept, store)
            kept += 1
            if kept == kept_max:
                return row + 1, kept, given_up
    return len(rows), kept, given_up


@jit
def place(start: Number, stop: Number, store: Store) -> Number:
    """Enter the rows `start` to `stop - 1` of the evidence; returns how many entries found no room."""
    lines, given_up = len(store.low) - WALK_LINES, 0
    for row in range(start, stop):
        if row + _AHEAD_ROWS < stop:
            signature = store.evidence[row + _AHEAD_ROWS, 0]
            home = line_of(mix(np.uint32(signature) & store.key_bits), lines)
            prefetch(store.low, home)
            prefetch(store.ids, home * ENTRIES_MAX)
            prefetch(store.high, line_of(mix(np.uint32(signature >> np.uint64(32)) & store.key_bits), lines))
        given_up += _place(row, store)
    return given_up


@jit
def _set_probes(rows: Words, row: Number, filters: Keys, homes: Keys, store: Store, rule: Rule) -> None:
    """Work out the homes of all probes of a row, and their bits in the filters there. Fetch the ids of the first."""
    low = np.uint32(rows[row, 0]) & store.key_bits
    high = np.uint32(rows[row, 0] >> np.uint64(32)) & store.key_bits
    lines, middle = np.uint64(len(store.low) - WALK_LINES), len(rule.low_masks)
    for probe in range(middle):
        homes[probe] = mix(low ^ rule.low_masks[probe])
    for probe in range(len(rule.high_masks)):
        homes[middle + probe] = mix(high ^ rule.high_masks[probe])
    for probe in range(len(homes)):
        filters[probe] = filter_mask(homes[probe])
        homes[probe] = line_of(homes[probe], lines)
    prefetch(store.ids, np.int64(homes[0]) * ENTRIES_MAX)


@jit
def _is_near_copy(
    rows: Words, row: Number, filters: Keys, homes: Keys, coming: Keys, found: Found, store: Store, rule: Rule
) -> bool:
    """Whether some kept row is a near copy of `row`, whose probes have these homes and filter bits."""
    middle, low, high = len(rule.low_masks), np.uint32(rows[row, 0]), np.uint32(rows[row, 0] >> np.uint64(32))
    count = _find(store.low, filters[:middle], homes[:middle], coming[:middle], high, rule.distance_max, found)
    alike = count > 0 and _is_alike_by_low(rows, row, found[:count], store, rule)
    count = _find(store.high, filters[middle:], homes[middle:], coming[middle:], low, rule.distance_max, found)
    return alike or (count > 0 and _is_alike_by_high(rows, row, found[:count], store, rule))


@jit
def _find(
    table: Table, filters: Keys, homes: Keys, coming: Keys, half: Number, distance_max: Number, found: Found
) -> Number:
    """List in `found`, as `_pack` does, where a probe's lines have entries near `half`; returns how many lines.

    Hardly any have, and from few homes has an entry with that key moved on: mostly one test settles it. With each line
    read, one is fetched for a row to come: bursts of fetches are slower.
    """
    count, wanted = 0, np.uint64(half)
    for probe in range(len(homes)):
        prefetch(table, np.int64(coming[probe]))
        home: Number = np.int64(homes[probe])
        away = table[home, STATE] & filters[probe]
        some = any_within_6(table, home, wanted) if distance_max > _FEW else any_within_3(table, home, wanted)
        if some | np.uint64(away):
            last = home + reach(table[home, STATE]) if away else home
            for line in range(home, last + 1):
                near = _near(table, line, half, distance_max)
                if near:
                    found[count] = _pack(line, probe, near)
                    count += 1
    return count


@jit
def _near(table: Table, line: Number, half: Number, distance_max: Number) -> Number:
    """A bit for each entry of the line that is near to `half`: within 3 bits, or 6 if that is asked for."""
    if distance_max > _FEW:
        near = words_within_6(table, line, np.uint64(half))
    else:
        near = words_within_3(table, line, np.uint64(half))
    return near & np.uint64(table[line, STATE] & np.uint32(IN_USE))


@jit
def _pack(line: Number, probe: Number, near: Number) -> Number:
    """What was found, as 64 bits: line, number of the probe, a bit for each near entry."""
    return (np.uint64(line) << np.uint64(32)) | (np.uint64(probe) << np.uint64(16)) | near


@jit
def _unpack(found: Number) -> tuple[Number, Number, Number]:
    """Line, probe and near entries, as they were packed."""
    probe = np.int64((found >> np.uint64(16)) & np.uint64(0xFFFF))
    return np.int64(found >> np.uint64(32)), probe, found & np.uint64(0xFFFF)


@jit
def _is_alike_by_low(rows: Words, row: Number, found: Found, store: Store, rule: Rule) -> bool:
    """Whether some of these entries of `low` stands for a near copy of `row`."""
    for packed in found:
        line, _, near = _unpack(packed)
        if _is_any_alike(line, near, rows, row, store, rule):
            return True
    return False


@jit
def _is_alike_by_high(rows: Words, row: Number, found: Found, store: Store, rule: Rule) -> bool:
    """Whether some of these entries of `high` leads to a near copy of `row`.

    What stands in `low` within the flips tried there has been looked at. Entries like an earlier one, and there may be
    hundreds alike, lead nowhere new.
    """
    low, high = np.uint32(rows[row, 0]), np.uint32(rows[row, 0] >> np.uint64(32))
    lines, seen, away, away_probe = len(store.low) - WALK_LINES, np.int64(-1), np.int64(-1), np.int64(-1)
    for packed in found:
        line, probe, near = _unpack(packed)
        while near:
            other: Number = store.high[line, trailing_zeros(near)]
            near &= near - np.uint64(1)
            home = line_of(mix(other & store.key_bits), lines)
            if other != seen and count_ones(np.uint64(other ^ low)) > rule.low_flips:
                seen = np.int64(other)
                if _is_alike_at(home, rows, row, store, rule):
                    return True
            if (other != away or probe != away_probe) and store.low[home, STATE] & np.uint32(SENT_AWAY):
                away, away_probe = np.int64(other), probe
                home = line_of(_second_key(other, (high & store.key_bits) ^ rule.high_masks[probe]), lines)
                if _is_alike_at(home, rows, row, store, rule):
                    return True
    return False


@jit
def _is_alike_at(home: Number, rows: Words, row: Number, store: Store, rule: Rule) -> bool:
    """Whether an entry at home in this line of `low` stands for a near copy of `row`."""
    high = np.uint32(rows[row, 0] >> np.uint64(32))
    for line in range(home, home + 1 + reach(store.low[home, STATE])):
        near = _near(store.low, line, high, rule.distance_max)
        if _is_any_alike(line, near, rows, row, store, rule):
            return True
    return False


@jit
def _is_any_alike(line: Number, near: Number, rows: Words, row: Number, store: Store, rule: Rule) -> bool:
    """Whether one of these entries of a line of `low` stands for a near copy of `row`."""
    while near:
        entry = line * ENTRIES_MAX + trailing_zeros(near)
        near &= near - np.uint64(1)
        if _is_alike(store.evidence, np.int64(store.ids[entry]), rows, row, rule):
            return True
    return False


@jit
def _is_alike(evidence: Words, other: Number, rows: Words, row: Number, rule: Rule) -> bool:
    """The verdict on two rows."""
    return count_ones(rows[row, 0] ^ evidence[other, 0]) <= rule.distance_max and (
        similarity_bound(rows[row, 1], rows[row, 2], evidence[other, 1], evidence[other, 2]) >= rule.similarity_min
    )


@jit
def _place(row: Number, store: Store) -> Number:
    """Enter a row of the evidence into both tables; returns how many entries found no room."""
    low, high = np.uint32(store.evidence[row, 0]), np.uint32(store.evidence[row, 0] >> np.uint64(32))
    lines, given_up = len(store.low) - WALK_LINES, 0
    key = mix(low & store.key_bits)
    line, place = claim(store.low, line_of(key, lines), key, ENTRIES_MAX)
    if line < 0:
        given_up += 1
        key = _second_key(low, high & store.key_bits)
        line, place = claim(store.low, line_of(key, lines), key, ENTRIES_MAX)
        if line < 0:
            return 2
    store.low[line, place] = high
    store.ids[line * ENTRIES_MAX + place] = row
    key = mix(high & store.key_bits)
    line, place = claim(store.high, line_of(key, lines), key, ENTRIES_MAX)
    if line < 0:
        return given_up + 1
    store.high[line, place] = low
    return given_up


@jit
def _second_key(low: Number, high_key: Number) -> Number:
    """Where `low` has a row that found no room at home: there it only serves to find its id."""
    return mix(np.uint32(low ^ mix(np.uint32(high_key ^ np.uint32(_ELSEWHERE)))))
