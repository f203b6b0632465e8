"""From pieces of raw bytes to lines, and from lines to batches, in bounded memory.

The law: what comes out depends on the bytes alone, never on where they were cut into pieces. Lines end at a line
feed and nowhere else: U+2028, U+0085 and a lone carriage return are ordinary content. A last line without a line
feed counts; behind the last line feed there is no empty line.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import NamedTuple, cast

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


class Group(NamedTuple):
    """Neighbouring lines: how many were passed over unread, then those read, and the raw offset behind them all."""

    skipped: int
    lines: list[Line]
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
        split = piece.split(LINE_FEED)
        tail = split.pop()
        if split:
            unfinished.add(split[0])
            end = offset - len(tail)
            lines = cast(list[Line], split)
            lines[0] = unfinished.finish()
            yield Group(0, lines, end)
            unfinished = _Unfinished(end, line_bytes_max)
        unfinished.add(tail)
    if unfinished.length_bytes:
        yield Group(0, [unfinished.finish()], offset)


def _skip_lines(pieces: Iterator[bytes], offset: int, count: int) -> Generator[Group, None, tuple[bytes, int]]:
    """Pass over `count` lines. Returns what is left of the piece that ends the last of them, and its raw offset."""
    start = offset
    for piece in pieces:
        offset += len(piece)
        passed = piece.count(LINE_FEED)
        if passed >= count:
            rest = piece.split(LINE_FEED, count)[count]
            start = offset - len(rest)
            yield Group(count, [], start)
            return rest, start
        if passed:
            count -= passed
            start = offset - len(piece) + piece.rfind(LINE_FEED) + 1
            yield Group(passed, [], start)
    if offset > start:
        yield Group(1, [], offset)
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

    def finish(self) -> Line:
        if self.length_bytes <= self._bytes_max:
            return bytes(self._kept)
        return LongLine(bytes(self._kept), self._offset, self.length_bytes)


def cut_batches(groups: Iterable[Sequence[Line]], rows_max: int, bytes_max: int) -> Iterator[tuple[list[Line], bool]]:
    """(lines of one batch, whether it is the last) in order; the last may be empty.

    A batch ends with its `rows_max`-th line, or earlier with the line that brings it to `bytes_max` bytes.
    """
    waiting: list[Line] = []
    for lines in groups:
        waiting += lines
        at = 0
        while batch := _full_batch(waiting[at : at + rows_max], rows_max, bytes_max):
            yield batch, False
            at += len(batch)
        del waiting[:at]
    yield waiting, True


def _full_batch(lines: list[Line], rows_max: int, bytes_max: int) -> list[Line]:
    """The first lines that make a whole batch, or none."""
    if sum(map(len, lines)) >= bytes_max:
        sizes = accumulate(map(len, lines))
        return lines[: 1 + next(at for at, size in enumerate(sizes) if size >= bytes_max)]
    return lines if len(lines) == rows_max else []
