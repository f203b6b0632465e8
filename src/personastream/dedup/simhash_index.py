"""Which rows are near copies of an earlier one: SimHash signatures propose, sketches of their words decide.

A row is a near copy if some kept row lies within `distance_max` bits of it **and** what their sketches tell of the
Jaccard similarity of their sets of words is at least `similarity_min`. Rows are compared with kept rows only, in
order, so the earliest of a group survives and nothing is dropped by way of a dropped row.

Every kept row within `distance_max` is found, by the general pigeonhole principle (Qin, Wang, Xiao and others, GPH,
ICDE 2018): split the 64 bits into two halves and allow them f and g bits of difference, with (f + 1) + (g + 1) =
`distance_max` + 1. Were both halves further apart than that, the whole would be further than `distance_max`; so one
of them is within, and looking up its value and all flipped values finds the pair. For distances 0 to 6 that takes
1, 2, 34, 66, 562, 1058 and 6018 look-ups a row.

**Index** (`size_bytes`): for each half a table of 64-byte lines (see `lines`) and a map of bits. An entry of a table is
the other half, 32 bits; 15 fit in a line. Entries go by a hash of their half, which a line does not tell, so they
propose, and the evidence decides by whole signatures. The map tells which values of a half are there, as a Bloom filter
with four bits a value would, but so that one fetch answers for many look-ups: of the four bytes of a value each has its
bit in a row of 256 bits that the other three name. A value and all that differ from it in one bit are four rows.
**Evidence** (`evidence_bytes`): an id beside each entry of the first table, and by id 24 bytes: signature, first
sketch, second sketch with the number of distinct words. An entry of the second table gives both halves of a
signature, and so leads to its place, and id, in the first.

Rows with one half in common may crowd it: `lines` ends a walk at 16 lines, some 240 rows. An entry beyond that is
left out and counted in `given_up`. A row left out of one table is still found through the other (its id then stands
in the first table under a key made of both halves); only a pair that is close in that half alone is missed.
"""

from collections.abc import Callable
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.backend import require_numba

Words = NDArray[np.uint64]
Allocate = Callable[[int], Words]

DISTANCE_MAX = 6
RECORD_WORDS = 3
_RECORD_BYTES = 8 * RECORD_WORDS
_ROWS_PER_LINE = 12  # of 15: of fuller lines a good part of the entries would move on to the next ones
_BITS_PER_ROW = 13  # a row sets four: a quarter of the bits of a full index
_FEW_ROWS = 1 << 24  # up to here four times as many bits are cheap, and spare half of the lines
_ROWS_MIN = 1000
_HALF_BITS = 32


def in_memory(rows: int) -> Words:
    """Room for the evidence of that many rows."""
    return np.empty((rows, RECORD_WORDS), np.uint64)


class SimhashIndex:
    """Remembers the rows it has not seen the like of.

    `distance_max` is 0 to 6 bits; `rows_expected` is 0 if nobody knows. `evidence` makes room for the evidence of so
    many rows, an array uint64[rows, 3] of any content; it is asked again, for twice as much, when there are more rows
    than `rows_expected`. Memory is taken with the first row.
    Raises `ValueError` for a distance or a number of rows out of range, `ConfigError` without numba.
    """

    def __init__(
        self,
        rows_expected: int = 0,
        distance_max: int = 3,
        similarity_min: float = 0.8,
        evidence: Allocate = in_memory,
    ) -> None:
        if not 0 <= distance_max <= DISTANCE_MAX:
            raise ValueError(f"distance_max is {distance_max}, not 0 to {DISTANCE_MAX}")
        if rows_expected < 0:
            raise ValueError(f"rows_expected is {rows_expected}, less than 0")
        require_numba("near deduplication")
        from personastream.dedup import simhash_kernels

        self._kernels: Any = simhash_kernels
        self._distance_max = distance_max
        self._similarity_min = float(similarity_min)
        self._allocate = evidence
        self._lines = max(rows_expected, _ROWS_MIN) // _ROWS_PER_LINE + 1
        self._store, self._rule = self._empty(0, in_memory(0))
        self._room = simhash_kernels.room(len(_masks(distance_max // 2)))
        self._kept = self._kept_max = self._given_up = self._told = 0
        self._untold: list[bytes] = []

    def __len__(self) -> int:
        """Rows kept."""
        return self._kept

    @property
    def given_up(self) -> int:
        """Entries left out of a table, its lines being full: pairs that only those would have shown are not found."""
        return self._given_up

    @property
    def size_bytes(self) -> int:
        """Memory of the two tables and maps."""
        sides = (self._store.low, self._store.high)
        return int(sum(side.table.nbytes + side.present.nbytes for side in sides))

    @property
    def evidence_bytes(self) -> int:
        """Memory of ids and evidence, in use or not."""
        return int(self._store.ids.nbytes + self._store.evidence.nbytes)

    def insert(self, signatures: Words, sketches: Words) -> NDArray[np.bool_]:
        """True for each row that is no near copy of a kept one before it; such rows are kept from now on.

        `signatures` is uint64[n], `sketches` uint64[n, 2]. A row without words is no near copy, and is not kept. The
        answers depend on the rows so far, not on how they were batched.
        """
        rows = np.column_stack([signatures, sketches])
        new = np.empty(len(rows), np.bool_)
        done = 0
        while done < len(rows):
            self._make_room()
            done, self._kept, refused = self._kernels.insert(
                rows, done, new, self._store, self._rule, self._kept, *self._room
            )
            self._given_up += refused
            self._make_room()
        return new

    def learnt(self) -> bytes:
        """Signature and both sketches of each row kept by `insert` since the last call: 24 bytes a row, in order."""
        self._set_told()
        records = b"".join(self._untold)
        self._untold.clear()
        return records

    def learn(self, records: bytes) -> None:
        """Keep the rows that `learnt` told of. Raises `ValueError` if they cannot be such, and has learnt nothing."""
        if len(records) % _RECORD_BYTES:
            raise ValueError(f"{len(records)} bytes are no records of {_RECORD_BYTES} bytes")
        rows = np.frombuffer(records, "<u8").reshape(-1, RECORD_WORDS)
        if not (rows[:, 2] >> np.uint64(56)).all():
            raise ValueError("a record is that of a row without words")
        self._set_told()
        while len(rows):
            self._make_room()
            start, stop = self._kept, min(self._kept + len(rows), self._kept_max)
            self._store.evidence[start:stop] = rows[: stop - start]
            self._given_up += self._kernels.place(start, stop, self._store)
            self._kept, rows = stop, rows[stop - start :]
            self._make_room()
        self._told = self._kept

    def _set_told(self) -> None:
        """Put aside what `learnt` has to tell of the rows so far."""
        self._untold.append(self._store.evidence[self._told : self._kept].astype("<u8", copy=False).tobytes())
        self._told = self._kept

    def _make_room(self) -> None:
        """Make tables twice as large if these are full, and enter all rows anew. Entries given up may find room now."""
        if self._kept < self._kept_max:
            return
        if self._kept_max:
            self._lines *= 2
        self._kept_max = self._lines * _ROWS_PER_LINE
        evidence = self._allocate(self._kept_max)
        evidence[: self._kept] = self._store.evidence[: self._kept]
        self._store, self._rule = self._empty(self._lines, evidence)
        self._given_up = max(self._given_up, self._kernels.place(0, self._kept, self._store))

    def _empty(self, lines: int, evidence: Words) -> tuple[Any, Any]:
        """Empty tables of that many lines, and what makes a near copy."""
        rows, kernels = _ROWS_PER_LINE * lines, self._kernels
        bits = rows * (_BITS_PER_ROW if rows > _FEW_ROWS else 4 * _BITS_PER_ROW)
        low, high = (kernels.Side(kernels.empty_table(lines), kernels.empty_bits(bits)) for _ in range(2))
        low_flips, high_flips = self._distance_max // 2, (self._distance_max - 1) // 2
        flips = (kernels.Flips(*_flips(count)) for count in (low_flips, high_flips))
        rule = kernels.Rule(*flips, low_flips, self._distance_max, self._similarity_min)
        return kernels.Store(low, high, kernels.empty_table(lines), evidence), rule


@cache
def _flips(flips_max: int) -> tuple[NDArray[Any], ...]:
    """`Flips` of up to so many bits, in few groups. Each outcome belongs to one group."""
    groups: dict[tuple[int, int], set[int]] = {}
    for mask in _masks(flips_max):
        shift = max(range(0, _HALF_BITS, 8), key=lambda shift: (mask >> shift & 255).bit_count())
        groups.setdefault((mask & ~(255 << shift), shift), set()).add(mask >> shift & 255)
    kinds = sorted({tuple(sorted(inner)) for inner in groups.values()})
    patterns = np.zeros((len(kinds), 256, 256), np.uint8)
    for kind, inner in enumerate(kinds):
        for mask in inner:
            patterns[kind, np.arange(256), np.arange(256) ^ mask] = 1
    outer, shifts = (np.array([group[part] for group in groups], np.uint32) for part in (0, 1))
    chosen = np.array([kinds.index(tuple(sorted(inner))) for inner in groups.values()], np.uint32)
    return outer, shifts, chosen, np.packbits(patterns, axis=-1, bitorder="little").view("<u8").astype(np.uint64)


@cache
def _masks(flips_max: int) -> list[int]:
    """All values of 32 bits with at most `flips_max` of them set, fewest first."""
    chosen = (places for count in range(flips_max + 1) for places in combinations(range(_HALF_BITS), count))
    return [sum(1 << place for place in places) for places in chosen]
