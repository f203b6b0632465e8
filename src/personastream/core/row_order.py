"""Lines of a log in the order of their rows, whatever order they were committed in: no two readings differ.

Rows are committed as they end, so that one that was long under way stands some frames behind its neighbours. Frames
are taken by their first row, and lines are held back until no frame to come can hold an earlier row. What is held is
little: as many rows as were under way at once, and those that were asked again later.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

from personastream.core.ranges import Ranges

NumberedLine = tuple[int, bytes]
"""A row's number and one of its lines."""

_row = itemgetter(0)


class RowSpan(NamedTuple):
    """Where a frame lies, and between which rows, `first` to `stop - 1`, all of its lines do.

    `purged` are records that it held once, as (row, place among the records of the row): each keeps its place. `rows`
    are those that have lines left, then.
    """

    part: str
    offset: int
    size_bytes: int
    first: int
    stop: int
    rows: Ranges = ()
    purged: tuple[tuple[int, int], ...] = ()


def in_row_order(
    frames: Sequence[RowSpan], load: Callable[[RowSpan], list[NumberedLine]], start: int = 0
) -> Iterator[list[NumberedLine]]:
    """The lines of rows from `start` on, in ascending order of rows, some at a time.

    `load` gives the lines of a frame; several lines of one row keep their order. Frames before `start` are not loaded.
    """
    wanted = sorted((frame for frame in frames if frame.stop > start), key=lambda frame: (frame.first, frame.stop))
    held: list[NumberedLine] = []
    for place, frame in enumerate(wanted):
        held += load(frame)
        held.sort(key=_row)
        if place + 1 < len(wanted):
            ready, held = _cut(held, wanted[place + 1].first)
        else:
            ready, held = held, []
        ready = ready[bisect_left(ready, start, key=_row) :]
        if ready:
            yield ready


def _cut(lines: list[NumberedLine], row: int) -> tuple[list[NumberedLine], list[NumberedLine]]:
    """Lines of rows before `row`, and the others."""
    place = bisect_left(lines, row, key=_row)
    return lines[:place], lines[place:]
