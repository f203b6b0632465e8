"""Ranges in arrays, for sets of hundreds of thousands: a range costs no object of its own.

The law: whatever is asked of them in `ranges` has the answer that a list of the same ranges gives.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self, overload

import numpy as np
from numpy.typing import NDArray

from personastream.core.ranges import Overlap, Range

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class PackedRanges(Sequence[Range]):
    """Sorted, disjoint ranges: range i is from `begins[i]` to `ends[i] - 1`. Made by `of` and `union`."""

    begins: Places
    ends: Places

    @classmethod
    def of(cls, numbers: Places) -> Self:
        """The ranges that hold ascending numbers. Raises `Overlap` for a number given twice."""
        steps = np.diff(numbers)
        if not steps.all():
            raise Overlap(int(numbers[steps.argmin()]))
        apart = (steps != 1).nonzero()[0]
        first, last = np.append(0, apart + 1)[: len(numbers)], np.append(apart, -1)[: len(numbers)]
        return cls(numbers[first], numbers[last] + 1)

    def __len__(self) -> int:
        return len(self.begins)

    @overload
    def __getitem__(self, place: int) -> Range: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Range]: ...
    def __getitem__(self, place: int | slice) -> Range | Sequence[Range]:
        if isinstance(place, slice):
            return type(self)(self.begins[place], self.ends[place])
        return int(self.begins[place]), int(self.ends[place])

    def __iter__(self) -> Iterator[Range]:
        return zip(self.begins.tolist(), self.ends.tolist(), strict=True)

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    @property
    def rows(self) -> int:
        """How many rows the set holds."""
        return int((self.ends - self.begins).sum())

    def union(self, others: Sequence["PackedRanges"]) -> list[Range]:
        """This set and others together. Raises `Overlap` if two share a row."""
        parts = (self, *others)
        begins, ends = np.concatenate([part.begins for part in parts]), np.concatenate([part.ends for part in parts])
        order = begins.argsort(kind="stable")
        begins, ends = begins[order], ends[order]
        gaps = begins[1:] - ends[:-1]
        if (gaps < 0).any():
            raise Overlap(int(begins[1:][gaps < 0][0]))
        apart = gaps.nonzero()[0]
        return list(type(self)(begins[np.append(0, apart + 1)], ends[np.append(apart, -1)]))

    def pairs(self) -> Places:
        """All ranges as int64[n, 2]."""
        return np.column_stack([self.begins, self.ends])
