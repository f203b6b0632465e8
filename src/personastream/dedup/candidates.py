"""Rows that share a key are candidates for near copies; their words decide. What Jaccard and MinHash have in common.

A row comes with keys (64-bit hashes) chosen so that near copies share at least one. It is a near copy if a kept row
has one of its keys **and** the Jaccard similarity of their sets of words is at least `similarity_min`. Rows are
compared with kept rows only, in order, so the earliest of a group survives.

Sketches refuse most of those that are less similar, in no time. But two rows that differ in a word each have the same
sketches once in 3,600 times, and of rows made from one template each meets thousands of such others. So what sketches
do not refuse is compared word by word, by marks of 16 bits: a pair like that passes once in some 65,536 times, together
once in 200 million. Rows of 255 different words or more have no marks: for them the sketches decide.

**Index** (`size_bytes`): tables of 64-byte lines (see `lines`) with ten entries: 16 tag bits of the key, and the id of
a row, 32 bits. A full table is followed by another one, as large as all before. **Evidence** (`evidence_bytes`): by id,
16 bytes of sketches, 8 that tell where its marks are, and 2 for each distinct word.

Many rows may share a key. Once a line and the 15 after it are full of them, some 160, further rows go by the key and
their own size, and whoever finds the line crowded asks for each size that a near copy may have: nothing is lost by
that. A key that finds no place then either is left out and counted in `given_up`.
"""

from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.backend import require_numba
from personastream.dedup.constants import SKETCH_SIZE_MAX

Words = NDArray[np.uint64]
Marks = NDArray[np.uint16]
Starts = NDArray[np.int64]

_KEYS_PER_LINE = 7.5  # of 10
_KEYS_MIN = 4096
_MARKS_PER_ROW = 20  # expected; room for more is made when it is needed
_SIMILARITY_DENOMINATOR_MAX = 1_000_000


class Candidates:
    """Remembers rows by their keys. `keys_per_row` are expected of `rows_expected` rows; both may be exceeded."""

    def __init__(self, rows_expected: int, similarity_min: float, keys_per_row: float) -> None:
        require_numba("near deduplication")
        from personastream.dedup import candidate_kernels, jit, lines

        self._kernels: Any = candidate_kernels
        self._empty_lines, self._walk_lines = jit.empty_lines, lines.WALK_LINES
        least, largest = _partner_sizes(similarity_min)
        self._rule = candidate_kernels.Rule(float(similarity_min), least, largest, _most_apart(similarity_min))
        self._lines = int(max(rows_expected * keys_per_row, _KEYS_MIN) / _KEYS_PER_LINE) + 1
        self._sizes: list[int] = []
        self._table = self._empty_lines(0)
        rows = max(rows_expected, _KEYS_MIN)
        self._evidence, self._mark_starts = np.empty((rows, 2), np.uint64), np.zeros(rows + 1, np.int64)
        self._marks = np.empty(rows * _MARKS_PER_ROW, np.uint16)
        self._store = self._new_store()
        self._kept = self._room = 0
        self._records: list[Words] = []
        self.given_up = 0

    def __len__(self) -> int:
        """Rows kept."""
        return self._kept

    @property
    def size_bytes(self) -> int:
        """Memory of the tables."""
        return int(self._table.nbytes)

    @property
    def evidence_bytes(self) -> int:
        """Memory of sketches and marks, in use or not."""
        return int(self._evidence.nbytes + self._mark_starts.nbytes + self._marks.nbytes)

    def insert(
        self, keys: Words, starts: Starts, sketches: Words, marks: Marks, mark_starts: Starts
    ) -> NDArray[np.bool_]:
        """True for each row that is no near copy of a kept one before it; such rows are kept from now on.

        Row i has `keys[starts[i]:starts[i + 1]]`, `sketches[i]`, and as it has keys, `marks` (see `mark_kernels`). One
        without keys is new, and is not kept.
        """
        rows = self._kernels.Rows(keys, starts, sketches, marks, mark_starts)
        new = self._insert(rows, ask=True)
        self._records.append(self._kernels.as_records(rows, new))
        return new

    def learnt(self) -> bytes:
        """Sketches, keys and marks of each row kept by `insert` since the last call, in order."""
        records = b"".join(records.astype("<u8", copy=False).data for records in self._records)
        self._records.clear()
        return records

    def learn(self, records: bytes, keys_min: int, keys_max: int) -> None:
        """Keep the rows that `learnt` told of. Raises `ValueError` if they cannot be such, and has learnt nothing."""
        if len(records) % 8:
            raise ValueError(f"{len(records)} bytes are no whole number of words of 8 bytes")
        words = np.frombuffer(records, "<u8").astype(np.uint64)
        rows = self._kernels.count_records(words, keys_min, keys_max)
        if rows < 0:
            raise ValueError("the records of near deduplication do not hang together")
        self._insert(self._kernels.Rows(*self._kernels.from_records(words, rows)), ask=False)

    def _insert(self, rows: Any, ask: bool) -> NDArray[np.bool_]:
        new = np.empty(len(rows.sketches), np.bool_)
        done = 0
        while done < len(new):
            done, self._kept, self._room, refused = self._kernels.insert(
                rows, done, ask, new, self._store, self._rule, self._kept, self._room
            )
            self.given_up += refused
            if done < len(new):
                self._make_room(*(int(each[done + 1] - each[done]) for each in (rows.starts, rows.mark_starts)))
        return new

    def _make_room(self, keys: int, marks: int) -> None:
        """Add a table, evidence or marks, whichever is full: for so many keys and marks at least."""
        if self._kept == len(self._evidence):
            self._evidence = _grown(self._evidence, 2 * self._kept)
            self._mark_starts = _grown(self._mark_starts, 2 * self._kept + 1)
        if self._mark_starts[self._kept] + marks > len(self._marks):
            self._marks = _grown(self._marks, 2 * len(self._marks))
        if keys > self._room:
            lines = max(self._lines, sum(self._sizes), keys)
            table = self._empty_lines(len(self._table) + lines + self._walk_lines)
            table[: len(self._table)] = self._table
            self._table = table
            self._sizes.append(lines)
            self._room = int(lines * _KEYS_PER_LINE)
        self._store = self._new_store()

    def _new_store(self) -> Any:
        sizes = np.array(self._sizes, np.int64)
        firsts = np.cumsum(sizes + self._walk_lines) - sizes - self._walk_lines
        tags = self._table.view(np.uint16)
        return self._kernels.Store(self._table, tags, firsts, sizes, self._evidence, self._marks, self._mark_starts)


def _grown(array: NDArray[Any], rows: int) -> NDArray[Any]:
    """The same with room for so many rows."""
    grown = np.empty((rows, *array.shape[1:]), array.dtype)
    grown[: len(array)] = array
    return grown


class SetIndex:
    """What an index over sets of words is made of: `Candidates`, and how a row comes to its keys."""

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates

    def __len__(self) -> int:
        """Rows kept."""
        return len(self._candidates)

    @property
    def given_up(self) -> int:
        """Keys left out of a crowded table: pairs that only those would have shown are not found."""
        return self._candidates.given_up

    @property
    def size_bytes(self) -> int:
        """Memory of the tables."""
        return self._candidates.size_bytes

    @property
    def evidence_bytes(self) -> int:
        """Memory of sketches and marks."""
        return self._candidates.evidence_bytes

    def learnt(self) -> bytes:
        """Sketches (16 bytes), keys and marks of each row kept by `insert` since the last call, in order."""
        return self._candidates.learnt()


def exact(similarity: float) -> Fraction:
    """The fraction that was meant: 9/10 for 0.9, which as a float is a little more."""
    return Fraction(similarity).limit_denominator(_SIMILARITY_DENOMINATOR_MAX)


def _partner_sizes(similarity_min: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """By the size of a row, the least and the largest one that a near copy may have; sizes end at 255."""
    sizes, bound = range(SKETCH_SIZE_MAX + 1), exact(similarity_min)
    least = [ceil(size * bound) for size in sizes]
    largest = [min(floor(size / bound), SKETCH_SIZE_MAX) for size in sizes]
    return np.array(least, np.int64), np.array(largest, np.int64)


def _most_apart(similarity_min: float) -> NDArray[np.int64]:
    """By the sum of two rows' sizes, in how many words they may differ at most, as `similarity_bound` works it out."""
    apart = np.arange(2 * SKETCH_SIZE_MAX + 1)
    sums = apart[:, np.newaxis]
    similar = np.maximum(0, sums - apart) / np.maximum(1, sums + apart) >= similarity_min
    most: NDArray[np.int64] = np.maximum(0, similar.sum(axis=1) - 1)
    return most
