"""Marks in place of what was found in a text. Pure."""

from collections.abc import Sequence
from typing import NamedTuple


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
        if all(each.stop <= other.start or other.stop <= each.start for other in taken):
            taken.append(each)
    return sorted(taken, key=lambda each: each.start)
