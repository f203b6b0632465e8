"""Marks in place of what was found in a text. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

_START = attrgetter("start")


class Found(NamedTuple):
    """What kind of thing stands from `start` to before `stop`."""

    kind: str
    start: int
    stop: int


def redacted(text: str, found: Sequence[Found]) -> str:
    """`text` with `[email]` and the like in place of what was found in it: in order, and without overlaps."""
    pieces, end = [], 0
    for each in found:
        pieces += [text[end : each.start], f"[{each.kind}]"]
        end = each.stop
    return "".join([*pieces, text[end:]])


def apart(found: Sequence[Found]) -> list[Found]:
    """Those that do not overlap one before them in the list, by place."""
    taken: list[Found] = []
    for each in found:
        at = bisect_right(taken, each.start, key=_START)
        if (at == 0 or taken[at - 1].stop <= each.start) and (at == len(taken) or each.stop <= taken[at].start):
            taken.insert(at, each)
    return taken
