"""The loops of `candidates`, compiled. What the tables hold is described there."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.constants import SECOND_FACTOR, SECOND_FLIP, SKETCH_SIZE_MAX
from personastream.dedup.jit import count_ones, fold_product, inlined, jit, jit_bare, prefetch, trailing_zeros
from personastream.dedup.lines import IN_USE, SENT_AWAY, STATE, Number, Table, claim, gone, line_of, reach, tags_equal
from personastream.dedup.mark_kernels import Marks, similarity
from personastream.dedup.sketch_kernels import similarity_bound

ENTRIES_MAX = 10

_TAGS_FROM = 20  # tags are 16-bit fields, these the first of them
_AHEAD_ROWS = 16
_AHEAD_ROWS_EVIDENCE = 6
_SIZE_SHIFT = np.uint64(56)

Words = NDArray[np.uint64]
Starts = NDArray[np.int64]


class Store(NamedTuple):
    """Where kept rows are: tables one after the other, the first line and lines of each; sketches uint64[rows, 2].

    The marks of kept row i are `marks[mark_starts[i]:mark_starts[i + 1]]`.
    """

    lines: Table
    tags: NDArray[np.uint16]
    firsts: Starts
    sizes: Starts
    evidence: Words
    marks: Marks
    mark_starts: Starts


class Rows(NamedTuple):
    """Rows to decide on: the keys, two sketches and marks of each."""

    keys: Words
    starts: Starts
    sketches: Words
    marks: Marks
    mark_starts: Starts


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
    rows: Rows, start: Number, ask: bool, new: NDArray[np.bool_], store: Store, rule: Rule, kept: Number, room: Number
) -> tuple[Number, Number, Number, Number]:
    """Decide on rows from `start` on, or just believe in them without `ask`; keep new ones while there is room.

    There is room for that many keys, and for as many rows and marks as the store has. Returns the row where it
    stopped, the rows kept now, the room left, and how many keys found no place.
    """
    keys, starts, sketches = rows.keys, rows.starts, rows.sketches
    given_up = 0
    for row in range(start, len(sketches)):
        if row + _AHEAD_ROWS < len(sketches):
            _fetch_lines(keys, starts[row + _AHEAD_ROWS], starts[row + _AHEAD_ROWS + 1], store)
        if ask and row + _AHEAD_ROWS_EVIDENCE < len(sketches):
            _fetch_evidence(keys, starts, sketches, row + _AHEAD_ROWS_EVIDENCE, store, rule)
        first, stop = starts[row], starts[row + 1]
        new[row] = first == stop or not (ask and _is_near_copy(rows, row, store, rule))
        if new[row] and first < stop:
            if kept == len(store.evidence) or stop - first > room or not _keep(rows, row, kept, store):
                return row, kept, room, given_up
            given_up += _place(keys, first, stop, kept, store)
            room -= stop - first
            kept += 1
    return len(sketches), kept, room, given_up


@inlined
def _keep(rows: Rows, row: Number, kept: Number, store: Store) -> bool:
    """Note the sketches and marks of a row, if there is room for them."""
    start, stop, at = rows.mark_starts[row], rows.mark_starts[row + 1], store.mark_starts[kept]
    if at + stop - start > len(store.marks):
        return False
    store.evidence[kept, 0], store.evidence[kept, 1] = rows.sketches[row, 0], rows.sketches[row, 1]
    for place in range(start, stop):
        store.marks[at + place - start] = rows.marks[place]
    store.mark_starts[kept + 1] = at + stop - start
    return True


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
def _is_near_copy(rows: Rows, row: Number, store: Store, rule: Rule) -> bool:
    """Whether some kept row shares a key with `row`, and is similar."""
    size = np.int64(rows.sketches[row, 1] >> _SIZE_SHIFT)
    for place in range(rows.starts[row], rows.starts[row + 1]):
        for table in range(len(store.sizes)):
            home = _home(rows.keys[place], table, store)
            if _is_alike_at(home, rows.keys[place], rows, row, store, rule):
                return True
            if store.lines[home, STATE] & np.uint32(SENT_AWAY):
                for other_size in range(rule.size_min[size], rule.size_max[size] + 1):
                    key = _refined(rows.keys[place], other_size)
                    if _is_alike_at(_home(key, table, store), key, rows, row, store, rule):
                        return True
    return False


@inlined
def _is_alike_at(home: Number, key: Number, rows: Rows, row: Number, store: Store, rule: Rule) -> bool:
    """Whether an entry with this key stands for a row that is similar to `row`."""
    first, second = rows.sketches[row, 0], rows.sketches[row, 1]
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
            bound = similarity_bound(first, second, store.evidence[other, 0], other_second)
            if bound >= rule.similarity_min and _is_alike(rows, row, other, store, rule):
                return True
    return False


@jit_bare
def _is_alike(rows: Rows, row: Number, other: Number, store: Store, rule: Rule) -> bool:
    """The verdict on two rows whose sketches agree: by their marks, if both have them."""
    start, stop = rows.mark_starts[row], rows.mark_starts[row + 1]
    begin, end = store.mark_starts[other], store.mark_starts[other + 1]
    if start == stop or begin == end:
        return True
    return bool(similarity(rows.marks, start, stop, store.marks, begin, end) >= rule.similarity_min)


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
def as_records(rows: Rows, new: NDArray[np.bool_]) -> Words:
    """What the journal tells of new rows that have keys: both sketches, the number of keys, the keys, the marks.

    Of marks there are four in a word; the last one may be filled up with zeros.
    """
    size = 0
    for row in range(len(new)):
        count = rows.starts[row + 1] - rows.starts[row]
        size += (3 + count + _mark_words(rows.sketches[row, 1])) * (new[row] & (count > 0))
    records = np.zeros(size, np.uint64)
    _write_records(rows, new, records)
    return records


@jit_bare
def _mark_words(second: Number) -> Number:
    """Words of a record that hold marks, by the second sketch."""
    size = np.int64(second >> _SIZE_SHIFT)
    return (size + 3) // 4 if size < SKETCH_SIZE_MAX else 0


@jit_bare
def _write_records(rows: Rows, new: NDArray[np.bool_], records: Words) -> None:
    at = np.int64(0)
    for row in range(len(new)):
        start, count = rows.starts[row], rows.starts[row + 1] - rows.starts[row]
        if not new[row] or count == 0:
            continue
        records[at], records[at + 1] = rows.sketches[row, 0], rows.sketches[row, 1]
        records[at + 2] = np.uint64(count)
        for place in range(count):
            records[at + 3 + place] = rows.keys[start + place]
        at += 3 + count
        for place in range(rows.mark_starts[row + 1] - rows.mark_starts[row]):
            mark = np.uint64(rows.marks[rows.mark_starts[row] + place])
            records[at + place // 4] |= mark << np.uint64(16 * (place % 4))
        at += _mark_words(rows.sketches[row, 1])


@jit
def count_records(records: Words, keys_min: Number, keys_max: Number) -> Number:
    """How many records these are; -1 if they are none."""
    at, rows = np.int64(0), 0
    while at < len(records):
        if at + 3 > len(records) or records[at + 1] >> _SIZE_SHIFT == np.uint64(0):
            return -1
        if records[at + 2] < np.uint64(keys_min) or records[at + 2] > np.uint64(keys_max):
            return -1
        at += 3 + np.int64(records[at + 2]) + _mark_words(records[at + 1])
        rows += 1
    return rows if at == len(records) else -1


@jit
def from_records(records: Words, rows: Number) -> tuple[Words, Starts, Words, Marks, Starts]:
    """Keys, starts, sketches, marks and their starts of so many records."""
    keys, starts = np.empty(len(records), np.uint64), np.zeros(rows + 1, np.int64)
    marks, mark_starts = np.empty(4 * len(records), np.uint16), np.zeros(rows + 1, np.int64)
    sketches, at = np.empty((rows, 2), np.uint64), np.int64(0)
    for row in range(rows):
        count = np.int64(records[at + 2])
        sketches[row, 0], sketches[row, 1] = records[at], records[at + 1]
        starts[row + 1] = starts[row] + count
        keys[starts[row] : starts[row + 1]] = records[at + 3 : at + 3 + count]
        at += 3 + count
        size = np.int64(sketches[row, 1] >> _SIZE_SHIFT) if _mark_words(sketches[row, 1]) else np.int64(0)
        for place in range(size):
            marks[mark_starts[row] + place] = np.uint16(records[at + place // 4] >> np.uint64(16 * (place % 4)))
        mark_starts[row + 1] = mark_starts[row] + size
        at += _mark_words(sketches[row, 1])
    return keys[: starts[-1]], starts, sketches, marks[: mark_starts[-1]], mark_starts
