"""Sets of row numbers as sorted, disjoint, half-open ranges: small where rows settle nearly in order.

Sets that are not small have them in arrays: see `packed_ranges`, which does there what is asked of them here.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from operator import itemgetter

Range = tuple[int, int]
Ranges = Sequence[Range]


class Overlap(ValueError):
    """Two sets that must be disjoint share the row `number`."""

    def __init__(self, number: int) -> None:
        super().__init__(f"row {number} is in both sets")
        self.number = number


class Missing(ValueError):
    """A row `number` that must be in a set is not."""

    def __init__(self, number: int) -> None:
        super().__init__(f"row {number} is not in the set")
        self.number = number


def from_numbers(numbers: Iterable[int]) -> list[Range]:
    """The ranges that hold `numbers`, given in any order. Raises `Overlap` for a number given twice."""
    ranges: list[Range] = []
    start = stop = -1
    for number in sorted(numbers):
        if number == stop:
            stop += 1
        elif number == stop - 1 and start >= 0:
            raise Overlap(number)
        else:
            if start >= 0:
                ranges.append((start, stop))
            start, stop = number, number + 1
    if start >= 0:
        ranges.append((start, stop))
    return ranges


def union_all(sets: Iterable[Ranges]) -> list[Range]:
    """All sets together. Raises `Overlap` if two share a row: no row may settle twice."""
    sets = [rows for rows in sets if rows]
    union: Callable[[list[Ranges]], list[Range]] | None = getattr(sets[0], "union", None) if sets else None
    if union is not None and all(isinstance(rows, type(sets[0])) for rows in sets):
        return union(sets[1:])
    merged: list[Range] = []
    begin = end = -1
    for start, stop in sorted(chain.from_iterable(sets)):
        if start < end:
            raise Overlap(start)
        if start > end:
            merged.append((begin, end))
            begin = start
        end = stop
    merged.append((begin, end))
    return merged[1:]


def without(rows: Ranges, others: Ranges) -> list[Range]:
    """`rows` less those of them that are among `others`."""
    left: list[Range] = []
    for start, stop in rows:
        for cut_start, cut_stop in others[max(0, bisect_right(others, start, key=itemgetter(0)) - 1) :]:
            if cut_start >= stop:
                break
            if start < cut_start:
                left.append((start, cut_start))
            start = max(start, cut_stop)
        if start < stop:
            left.append((start, stop))
    return left


def common(rows: Ranges, others: Ranges) -> list[Range]:
    """Those of `rows` that are among `others`."""
    return without(rows, without(rows, others))


def difference(rows: Ranges, others: Ranges) -> list[Range]:
    """`rows` less `others`, all of which must be among them. Raises `Missing`."""
    left = without(rows, others)
    if count(left) + count(others) != count(rows):
        raise Missing(without(others, rows)[0][0])
    return left


def count(ranges: Ranges) -> int:
    """How many rows the set holds."""
    packed: int | None = getattr(ranges, "rows", None)
    return packed if packed is not None else sum([stop - start for start, stop in ranges])


def contains(ranges: Ranges, number: int) -> bool:
    """Whether the set holds `number`."""
    place = bisect_right(ranges, number, key=itemgetter(0)) - 1
    return place >= 0 and number < ranges[place][1]


def watermark(ranges: Ranges) -> int:
    """The first row number, from 0, that the set does not hold."""
    return ranges[0][1] if ranges and ranges[0][0] == 0 else 0
