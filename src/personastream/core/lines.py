"""From pieces of raw bytes to lines, and from lines to batches, in bounded memory.

The law: what comes out depends on the bytes alone, never on where they were cut into pieces. Lines end at a line
feed and nowhere else: U+2028, U+0085 and a lone carriage return are ordinary content. A last line without a line
feed counts; behind the last line feed there is no empty line.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple, Self, overload

import numpy as np

from personastream.packed import Packed, truths

LINE_FEED = b"\n"
HEAD_BYTES = 8_000  # kept of a line that is too long: 2,000 characters of up to four bytes


@dataclass(frozen=True, slots=True)
class LongLine:
    """Stands for a line over the limit: its first bytes, the raw offset where it starts, its length."""

    head: bytes
    offset: int
    length_bytes: int

    def __len__(self) -> int:
        """Bytes held in memory."""
        return len(self.head)


Line = bytes | LongLine


@dataclass(frozen=True, slots=True, eq=False)
class Lines(Sequence[Line]):
    """Lines in one piece. `long` are those over the limit, by their places; of them only heads are in `packed`."""

    packed: Packed
    long: Mapping[int, LongLine] = field(default_factory=dict)

    @classmethod
    def of(cls, lines: Sequence[Line]) -> Self:
        """Lines that were apart."""
        long = {place: line for place, line in enumerate(lines) if isinstance(line, LongLine)}
        return cls(Packed.of([line.head if isinstance(line, LongLine) else line for line in lines]), long)

    @classmethod
    def join(cls, parts: Sequence["Lines"]) -> "Lines":
        """The lines of all parts."""
        if len(parts) == 1:
            return parts[0]
        starts = np.cumsum([0, *map(len, parts)]).tolist()
        long = {start + at: line for start, part in zip(starts, parts, strict=False) for at, line in part.long.items()}
        return cls(Packed.join([part.packed for part in parts]), long)

    def __len__(self) -> int:
        return len(self.packed)

    @overload
    def __getitem__(self, place: int) -> Line: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Line]: ...
    def __getitem__(self, place: int | slice) -> Line | Sequence[Line]:
        if isinstance(place, slice):
            return list(self)[place]
        row = self.packed.row(place)
        return self.long.get(place % len(self), row)

    def __iter__(self) -> Iterator[Line]:
        rows: list[Line] = [*self.packed.rows()]
        for place, line in self.long.items():
            rows[place] = line
        return iter(rows)

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def only(self, chosen: bytes) -> "Lines":
        """Those whose byte is not 0."""
        mask = truths(chosen)
        new = np.cumsum(mask) - 1
        return Lines(self.packed.at(mask), {int(new[at]): line for at, line in self.long.items() if mask[at]})

    def joined(self) -> bytes:
        """The bytes of all lines, each with a line feed behind it."""
        return self.packed.joined()

    def without_prefix(self, prefix: bytes) -> "Lines":
        """The same, but that the first line is without a prefix, if it is whole and has it."""
        if not self or 0 in self.long or not self.packed.row(0).startswith(prefix):
            return self
        return Lines(self.packed.replaced([0], [self.packed.row(0).removeprefix(prefix)]), self.long)

    def part(self, start: int, stop: int) -> "Lines":
        """Lines `start` to `stop - 1`."""
        long = {at - start: line for at, line in self.long.items() if start <= at < stop}
        return Lines(self.packed.at(slice(start, stop)), long)


NO_LINES = Lines(Packed.of([]))


class Group(NamedTuple):
    """Neighbouring lines: how many were passed over unread, then those read, and the raw offset behind them all."""

    skipped: int
    lines: Lines
    end: int


def split_lines(pieces: Iterable[bytes], offset: int, skip: int, line_bytes_max: int) -> Iterator[Group]:
    """The lines of raw data whose first byte has raw offset `offset` and starts a line.

    The first `skip` lines are only counted. A line of more than `line_bytes_max` bytes becomes a `LongLine`; no
    piece may be longer than that.
    """
    pieces = iter(pieces)
    rest = b""
    if skip:
        rest, offset = yield from _skip_lines(pieces, offset, skip)
    unfinished = _Unfinished(offset, line_bytes_max)
    for piece in chain((rest,), pieces):
        offset += len(piece)
        whole = piece.rfind(LINE_FEED) + 1
        if whole:
            end = offset - len(piece) + whole
            yield Group(0, unfinished.finish(piece, whole), end)
            unfinished = _Unfinished(end, line_bytes_max)
        unfinished.add(piece[whole:])
    if unfinished.length_bytes:
        yield Group(0, unfinished.finish(LINE_FEED, 1), offset)


def _skip_lines(pieces: Iterator[bytes], offset: int, count: int) -> Generator[Group, None, tuple[bytes, int]]:
    """Pass over `count` lines. Returns what is left of the piece that ends the last of them, and its raw offset."""
    start = offset
    for piece in pieces:
        offset += len(piece)
        passed = piece.count(LINE_FEED)
        if passed >= count:
            rest = piece.split(LINE_FEED, count)[count]
            start = offset - len(rest)
            yield Group(count, NO_LINES, start)
            return rest, start
        if passed:
            count -= passed
            start = offset - len(piece) + piece.rfind(LINE_FEED) + 1
            yield Group(passed, NO_LINES, start)
    if offset > start:
        yield Group(1, NO_LINES, offset)
    return b"", offset


class _Unfinished:
    """The line whose end has not come yet. Of one that is too long, only the head is kept."""

    def __init__(self, offset: int, bytes_max: int) -> None:
        self.length_bytes = 0
        self._offset, self._bytes_max, self._kept = offset, bytes_max, bytearray()

    def add(self, data: bytes) -> None:
        self.length_bytes += len(data)
        if self.length_bytes <= self._bytes_max:
            self._kept += data
        else:
            self._kept += data[: max(0, HEAD_BYTES - len(self._kept))]
            del self._kept[HEAD_BYTES:]

    def finish(self, data: bytes, stop: int) -> Lines:
        """The line, which ends at the first line feed of `data`, and all other lines up to `stop`, where one ends."""
        first = data.find(LINE_FEED)
        self.add(data[:first])
        packed = Packed.of_lines(self._kept, memoryview(data)[first:stop])
        if self.length_bytes <= self._bytes_max:
            return Lines(packed)
        return Lines(packed, {0: LongLine(bytes(self._kept), self._offset, self.length_bytes)})


def cut_batches(groups: Iterable[Lines], rows_max: int, bytes_max: int) -> Iterator[tuple[Lines, bool]]:
    """(lines of one batch, whether it is the last) in order; the last may be empty.

    A batch ends with its `rows_max`-th line, or earlier with the line that brings it to `bytes_max` bytes.
    """
    waiting: list[Lines] = []
    rows = size_bytes = 0
    for lines in groups:
        waiting.append(lines)
        rows += len(lines)
        size_bytes += lines.packed.size_bytes
        if rows < rows_max and size_bytes < bytes_max:
            continue
        joined, at = Lines.join(waiting), 0
        while full := _full_batch(joined, at, rows_max, bytes_max):
            yield joined.part(at, at + full), False
            at += full
        rest = joined.part(at, len(joined))
        waiting, rows, size_bytes = [rest], len(rest), rest.packed.size_bytes
    yield Lines.join(waiting), True


def _full_batch(lines: Lines, at: int, rows_max: int, bytes_max: int) -> int:
    """How many lines from `at` on make a whole batch; 0 if there are too few."""
    packed = lines.packed
    sizes = (packed.ends - packed.begins)[at : at + rows_max]
    if sizes.sum() >= bytes_max:
        return 1 + int((np.cumsum(sizes) >= bytes_max).argmax())
    return len(sizes) if len(sizes) == rows_max else 0
