"""Rows of a batch in one piece of memory, so that a row costs no object of its own until somebody asks for it.

The law: what packed rows, texts and numbers hold and equal is what lists of them would.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self, overload

import numpy as np
from numpy.typing import NDArray

PADDING = bytes(64)
_LINE_FEED = 10

Places = NDArray[np.int64]
Raw = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """Rows of bytes: row i is `data[begins[i]:ends[i]]`.

    They stand in the order they have, and behind each is a byte that belongs to none of them and to no word: a line
    feed, or what followed it where it was read. `data` goes on for 64 bytes beyond the last row, so that kernels may
    read ahead.
    """

    data: NDArray[np.uint8]
    begins: Places
    ends: Places

    @classmethod
    def of(cls, rows: Sequence[bytes]) -> Self:
        """Pack rows, whatever bytes are in them."""
        behind = np.cumsum(np.fromiter(map(len, rows), np.int64, len(rows)) + 1)
        begins = np.append(0, behind)[:-1]
        return cls(np.frombuffer(b"\n".join([*rows, PADDING]), np.uint8), begins, behind - 1)

    @classmethod
    def of_lines(cls, *pieces: Raw) -> Self:
        """Pack the lines of data that ends with a line feed, or is empty."""
        data = np.frombuffer(b"".join([*pieces, PADDING]), np.uint8)
        ends = (data == _LINE_FEED).nonzero()[0]
        return cls(data, np.append(0, ends + 1)[:-1], ends)

    @classmethod
    def join(cls, parts: Sequence["Packed"]) -> Self:
        """The rows of all parts."""
        sizes = [np.empty(0, np.int64), *(part.ends - part.begins for part in parts)]
        behind = np.cumsum(np.concatenate(sizes) + 1)
        data = b"\n".join([*(piece for part in parts for piece in part._pieces()), PADDING])
        return cls(np.frombuffer(data, np.uint8), np.append(0, behind)[:-1], behind - 1)

    def __len__(self) -> int:
        return len(self.begins)

    @property
    def size_bytes(self) -> int:
        """Of all rows, without what is between them."""
        return int((self.ends - self.begins).sum())

    def row(self, place: int) -> bytes:
        """One row; a negative `place` counts from the end."""
        return self.data[self.begins[place] : self.ends[place]].tobytes()

    def rows(self) -> list[bytes]:
        """All rows."""
        if len(self) > 1:
            between = self.data[self.ends[0] : self.begins[1]].tobytes()  # mostly the same between all of them
            if (self.begins[1:] - self.ends[:-1] == len(between)).all():
                found = self.data[self.begins[0] : self.ends[-1]].tobytes().split(between)
                sizes = np.fromiter(map(len, found), np.int64, len(found))
                if np.array_equal(sizes, self.ends - self.begins):
                    return found
        raw = self.data.tobytes()
        return [raw[begin:end] for begin, end in zip(self.begins.tolist(), self.ends.tolist(), strict=True)]

    def at(self, places: slice | NDArray[np.bool_] | Places) -> Self:
        """Some of the rows, in order; nothing is copied. A slice goes forward."""
        begins, ends = np.ascontiguousarray(self.begins[places]), np.ascontiguousarray(self.ends[places])
        if not len(begins):
            return type(self)(np.frombuffer(PADDING, np.uint8), begins, ends)
        first = begins[0]
        return type(self)(self.data[first : ends[-1] + len(PADDING)], begins - first, ends - first)

    def joined(self) -> bytes:
        """All rows, each with a line feed behind it."""
        return b"\n".join([*self._pieces(), b""])

    def _pieces(self) -> list[memoryview]:
        """All rows, as few pieces: neighbouring lines are one, with the line feeds between them."""
        if not len(self):
            return []
        apart = ((self.begins[1:] != self.ends[:-1] + 1) | (self.data[self.ends[:-1]] != _LINE_FEED)).nonzero()[0]
        starts = [int(self.begins[0]), *self.begins[apart + 1].tolist()]
        stops = [*self.ends[apart].tolist(), int(self.ends[-1])]
        data = self.data.data
        return [data[start:stop] for start, stop in zip(starts, stops, strict=True)]

    def beyond_ascii(self) -> Places:
        """Places of the rows that hold a byte from 128 on."""
        if not len(self):
            return np.empty(0, np.int64)
        high = self.data[: self.ends[-1]] >= 128
        high[1:] &= ~high[:-1]  # one for a whole run of them: no run goes from row to row
        found = high.nonzero()[0]
        places = np.searchsorted(self.begins, found, "right") - 1
        return np.unique(places[(places >= 0) & (found < self.ends[places])])

    def replaced(self, places: Sequence[int] | Places, rows: Sequence[bytes]) -> Self:
        """The same with other rows at these ascending places."""
        if not rows:
            return self
        places = np.asarray(places, np.int64)
        growth = np.zeros(len(self) + 1, np.int64)
        growth[places + 1] = np.fromiter(map(len, rows), np.int64, len(rows)) - (self.ends - self.begins)[places]
        shifts = np.cumsum(growth)
        pieces, at, data = list[bytes | memoryview](), 0, self.data.data
        for begin, end, row in zip(self.begins[places].tolist(), self.ends[places].tolist(), rows, strict=True):
            pieces += data[at:begin], row
            at = end
        joined = b"".join([*pieces, data[at:]])
        return type(self)(np.frombuffer(joined, np.uint8), self.begins + shifts[:-1], self.ends + shifts[1:])


@dataclass(frozen=True, slots=True, eq=False)
class Texts(Sequence[str]):
    """Texts packed as UTF-8."""

    packed: Packed

    def __len__(self) -> int:
        return len(self.packed)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...
    def __getitem__(self, place: int | slice) -> str | Sequence[str]:
        if isinstance(place, slice):
            return list(self)[place] if (place.step or 1) < 0 else Texts(self.packed.at(place))
        return self.packed.row(place).decode()

    def __iter__(self) -> Iterator[str]:
        return map(bytes.decode, self.packed.rows())

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def only(self, chosen: bytes) -> "Texts":
        """Those whose byte is not 0."""
        return Texts(self.packed.at(truths(chosen)))


@dataclass(frozen=True, slots=True, eq=False)
class Numbers(Sequence[int]):
    """Numbers of rows."""

    values: Places

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[int]: ...
    def __getitem__(self, place: int | slice) -> int | Sequence[int]:
        return Numbers(self.values[place]) if isinstance(place, slice) else int(self.values[place])

    def __iter__(self) -> Iterator[int]:
        return iter(self.values.tolist())

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def only(self, chosen: bytes) -> "Numbers":
        """Those whose byte is not 0."""
        return Numbers(self.values[truths(chosen)])


def as_array(numbers: Sequence[int]) -> Places:
    """Numbers of rows as an array, which may be shared."""
    return numbers.values if isinstance(numbers, Numbers) else np.fromiter(numbers, np.int64, len(numbers))


def truths(mask: bytes) -> NDArray[np.bool_]:
    """Which bytes are not 0."""
    return np.not_equal(np.frombuffer(mask, np.uint8), 0)
