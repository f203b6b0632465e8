"""The loops of `candidates`, compiled. What the tables hold is described there."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.constants import SECOND_FACTOR, SECOND_FLIP
from personastream.dedup.jit import count_ones, fold_product, inlined, jit, jit_bare, prefetch, trailing_zeros
from personastream.dedup.lines import IN_USE, SENT_AWAY, STATE, Number, Table, claim, gone, line_of, reach, tags_equal
from personastream.dedup.sketch_kernels import similarity_bound

ENTRIES_MAX = 10

_TAGS_FROM = 20  # tags are 16-bit fields, these the first of them
_AHEAD_ROWS = 16
_AHEAD_ROWS_EVIDENCE = 6
_SIZE_SHIFT = np.uint64(56)

Words = NDArray[np.uint64]
Starts = NDArray[np.int64]


class Store(NamedTuple):
    """Where kept rows are: tables one after the other, the first line and lines of each, evidence uint64[rows, 2]."""

    lines: Table
    tags: NDArray[np.uint16]
    firsts: Starts
    sizes: Starts
    evidence: Words


class Rule(NamedTuple):
    """What makes a near copy; and by the size of a row, 0 to 255, those that its near copies may have.

    `apart_max` has, by the sum of two sizes, how many bits of one sketch may differ.
    """

    similarity_min: float
    size_min: Starts
    size_max: Starts
    apart_max: Starts


@jit_bare
def insert(
    keys: Words,
    starts: Starts,
    sketches: Words,
    start: Number,
    ask: bool,
    new: NDArray[np.bool_],
    store: Store,
    rule: Rule,
    kept: Number,
    room: Number,
) -> tuple[Number, Number, Number, Number]:
    """Decide on rows from `start` on, or just believe in them without `ask`; keep new ones while there is room.

    There is room for that many keys, and for as many rows as the evidence has. Returns the row where it stopped, the
    rows kept now, the room left, and how many keys found no place.
    """
    given_up = 0
    for row in range(start, len(sketches)):
        if row + _AHEAD_ROWS < len(sketches):
            _fetch_lines(keys, starts[row + _AHEAD_ROWS], starts[row + _AHEAD_ROWS + 1], store)
        if ask and row + _AHEAD_ROWS_EVIDENCE < len(sketches):
            _fetch_evidence(keys, starts, sketches, row + _AHEAD_ROWS_EVIDENCE, store, rule)
        first, stop = starts[row], starts[row + 1]
        new[row] = first == stop or not (ask and _is_near_copy(keys, first, stop, sketches, row, store, rule))
        if new[row] and first < stop:
            if kept == len(store.evidence) or stop - first > room:
                return row, kept, room, given_up
            store.evidence[kept, 0], store.evidence[kept, 1] = sketches[row, 0], sketches[row, 1]
            given_up += _place(keys, first, stop, kept, store)
            room -= stop - first
            kept += 1
    return len(sketches), kept, room, given_up


@inlined
def _fetch_lines(keys: Words, first: Number, stop: Number, store: Store) -> None:
    """Have the homes of these keys fetched."""
    for place in range(first, stop):
        for table in range(len(store.sizes)):
            prefetch(store.lines, _home(keys[place], table, store))


@inlined
def _fetch_evidence(keys: Words, starts: Starts, sketches: Words, row: Number, store: Store, rule: Rule) -> None:
    """Have the sketches of all rows fetched that `row` will be compared with. Its lines have been fetched before."""
    size = np.int64(sketches[row, 1] >> _SIZE_SHIFT)
    for place in range(starts[row], starts[row + 1]):
        for table in range(len(store.sizes)):
            home = _home(keys[place], table, store)
            _fetch_evidence_at(home, keys[place], store)
            if store.lines[home, STATE] & np.uint32(SENT_AWAY):
                for other_size in range(rule.size_min[size], rule.size_max[size] + 1):
                    key = _refined(keys[place], other_size)
                    _fetch_evidence_at(_home(key, table, store), key, store)


@inlined
def _fetch_evidence_at(home: Number, key: Number, store: Store) -> None:
    """Have the sketches of all entries with this key fetched."""
    state = store.lines[home, STATE]
    for line in range(home, home + 1 + gone(state, key) * reach(state)):
        tagged = _tagged(line, key, store)
        while tagged:
            prefetch(store.evidence, np.int64(store.lines[line, trailing_zeros(tagged)]))
            tagged &= tagged - np.uint64(1)


@inlined
def _tagged(line: Number, key: Number, store: Store) -> Number:
    """A bit for each entry of a line that has this key."""
    return tags_equal(store.lines, line, key) & np.uint64(store.lines[line, STATE] & np.uint32(IN_USE))


@inlined
def _home(key: Number, table: Number, store: Store) -> Number:
    """The home of a key in one of the tables."""
    return store.firsts[table] + line_of(key >> np.uint64(32), store.sizes[table])


@inlined
def _is_near_copy(
    keys: Words, first: Number, stop: Number, sketches: Words, row: Number, store: Store, rule: Rule
) -> bool:
    """Whether some kept row shares one of the keys from `first` to `stop - 1` with `row`, and is similar."""
    size = np.int64(sketches[row, 1] >> _SIZE_SHIFT)
    for place in range(first, stop):
        for table in range(len(store.sizes)):
            home = _home(keys[place], table, store)
            if _is_alike_at(home, keys[place], sketches, row, store, rule):
                return True
            if store.lines[home, STATE] & np.uint32(SENT_AWAY):
                for other_size in range(rule.size_min[size], rule.size_max[size] + 1):
                    key = _refined(keys[place], other_size)
                    if _is_alike_at(_home(key, table, store), key, sketches, row, store, rule):
                        return True
    return False


@inlined
def _is_alike_at(home: Number, key: Number, sketches: Words, row: Number, store: Store, rule: Rule) -> bool:
    """Whether an entry with this key stands for a row that is similar to `row`."""
    first, second = sketches[row, 0], sketches[row, 1]
    size = np.int64(second >> _SIZE_SHIFT)
    state = store.lines[home, STATE]
    for line in range(home, home + 1 + gone(state, key) * reach(state)):
        tagged = _tagged(line, key, store)
        while tagged:
            other = np.int64(store.lines[line, trailing_zeros(tagged)])
            tagged &= tagged - np.uint64(1)
            other_second = store.evidence[other, 1]
            apart = count_ones(first ^ store.evidence[other, 0])
            if apart > rule.apart_max[size + np.int64(other_second >> _SIZE_SHIFT)]:  # most are refused by this alone
                continue
            if similarity_bound(first, second, store.evidence[other, 0], other_second) >= rule.similarity_min:
                return True
    return False


@inlined
def _place(keys: Words, first: Number, stop: Number, row: Number, store: Store) -> Number:
    """Enter a kept row into the last table under each of its keys; returns how many found no place."""
    table, given_up = len(store.sizes) - 1, 0
    for place in range(first, stop):
        key = keys[place]
        line, entry = claim(store.lines, _home(key, table, store), key, ENTRIES_MAX)
        if line < 0:
            key = _refined(key, np.int64(store.evidence[row, 1] >> _SIZE_SHIFT))
            line, entry = claim(store.lines, _home(key, table, store), key, ENTRIES_MAX)
        if line < 0:
            given_up += 1
        else:
            store.lines[line, entry] = row
            store.tags[line, _TAGS_FROM + entry] = key & np.uint64(0xFFFF)
    return given_up


@jit
def _refined(key: Number, size: Number) -> Number:
    """The key for rows of that size alone."""
    return fold_product(key ^ SECOND_FLIP, SECOND_FACTOR + np.uint64(size))


@jit
def as_records(keys: Words, starts: Starts, sketches: Words, new: NDArray[np.bool_]) -> Words:
    """What the journal tells of new rows that have keys: both sketches, the number of keys, the keys."""
    size = 0
    for row in range(len(new)):
        count = starts[row + 1] - starts[row]
        size += (3 + count) * (new[row] & (count > 0))
    records = np.empty(size, np.uint64)
    _write_records(keys, starts, sketches, new, records)
    return records


@jit_bare
def _write_records(keys: Words, starts: Starts, sketches: Words, new: NDArray[np.bool_], records: Words) -> None:
    at = 0
    for row in range(len(new)):
        count = starts[row + 1] - starts[row]
        if not new[row] or count == 0:
            continue
        records[at], records[at + 1], records[at + 2] = sketches[row, 0], sketches[row, 1], np.uint64(count)
        for place in range(count):
            records[at + 3 + place] = keys[starts[row] + place]
        at += 3 + count


@jit
def count_records(records: Words, keys_min: Number, keys_max: Number) -> Number:
    """How many records these are; -1 if they are none."""
    at, rows = np.int64(0), 0
    while at < len(records):
        if at + 3 > len(records) or records[at + 1] >> _SIZE_SHIFT == np.uint64(0):
            return -1
        if records[at + 2] < np.uint64(keys_min) or records[at + 2] > np.uint64(keys_max):
            return -1
        at += 3 + np.int64(records[at + 2])
        rows += 1
    return rows if at == len(records) else -1


@jit
def from_records(records: Words, rows: Number) -> tuple[Words, Starts, Words]:
    """Keys, starts and sketches of so many records."""
    keys, starts = np.empty(len(records) - 3 * rows, np.uint64), np.zeros(rows + 1, np.int64)
    sketches, at = np.empty((rows, 2), np.uint64), np.int64(0)
    for row in range(rows):
        count = np.int64(records[at + 2])
        sketches[row, 0], sketches[row, 1] = records[at], records[at + 1]
        starts[row + 1] = starts[row] + count
        keys[starts[row] : starts[row + 1]] = records[at + 3 : at + 3 + count]
        at += 3 + count
    return keys, starts, sketches
