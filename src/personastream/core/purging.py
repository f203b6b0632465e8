"""What a purge does to one commit: which of its lines go, and what its trailer says from then on.

The law: a row keeps its place and has one end. One that has lost all of its records was *delivered* and is *dropped*,
for the reason `purged`; so is one that is dead. Of a row that lived again after a death, the letter goes and the death
stays, as history. What was spent stays spent.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

from personastream.core import ranges
from personastream.core.frame_log import Commit, Mark
from personastream.core.outcomes import Outcomes
from personastream.core.ranges import Range, Ranges
from personastream.core.row_order import NumberedLine

REASON = "purged"
GAP = b""
"""Stands where a record was."""

_ID = re.compile(rb'\{"id":"(?:[^"\\]|\\.)*?:(\d+)(?:#(\d+))?"')
"""How the engine begins the line of every record and dead letter."""


@dataclass(frozen=True, slots=True)
class Doomed:
    """What is to go of one shard: all records of the rows `whole`, and single `records` of others."""

    whole: frozenset[int]
    records: frozenset[Mark] = frozenset()

    def __contains__(self, place: Mark) -> bool:
        return place[0] in self.whole or place in self.records

    @property
    def rows(self) -> list[Range]:
        """All rows that lose anything."""
        return ranges.from_numbers(self.whole | {row for row, _ in self.records})


class Rewritten(NamedTuple):
    """A commit as it is written anew."""

    lines: list[bytes]
    outcomes: Outcomes
    purged: tuple[Mark, ...]


def place_of(line: bytes) -> Mark:
    """The row and the place of a record, by its id. Raises `ValueError` for a line without one."""
    found = _ID.match(line)
    if found is None:
        raise ValueError("a line without an id")
    return int(found[1]), int(found[2] or 0)


def places_of(lines: Sequence[bytes], delivered: Ranges, *, plain: bool) -> list[Mark]:
    """The row and the place of each line of a commit. `plain` lines carry no ids: one a row, in the order of rows."""
    if plain:
        return [(row, 0) for row in chain.from_iterable(range(*each) for each in delivered)]
    return [place_of(line) for line in lines]


def rewritten(commit: Commit, lines: Sequence[bytes], places: Sequence[Mark], doomed: Doomed) -> Rewritten | None:
    """A commit of records without those that are doomed; None if it holds none of them."""
    gone = [place in doomed for place in places]
    if not any(gone):
        return None
    left = {row for (row, _), is_gone in zip(places, gone, strict=True) if not is_gone}
    lost = ranges.from_numbers({row for (row, _), is_gone in zip(places, gone, strict=True) if is_gone} - left)
    outcomes = commit.outcomes
    return Rewritten(
        [line for line, is_gone in zip(lines, gone, strict=True) if not is_gone],
        Outcomes(ranges.difference(outcomes.delivered, lost), _with(outcomes.dropped, lost), outcomes.dead),
        _marks(commit.purged, places, gone),
    )


def rewritten_letters(
    commit: Commit, lines: Sequence[bytes], places: Sequence[Mark], doomed: Doomed, final: Ranges
) -> Rewritten | None:
    """A commit of dead letters without those of doomed rows; `final` are rows that died here and are dead still."""
    gone = [place in doomed for place in places]
    if not any(gone):
        return None
    numbers = ranges.from_numbers({row for (row, _), is_gone in zip(places, gone, strict=True) if is_gone})
    lost = ranges.common(numbers, final)
    outcomes = commit.outcomes
    dead = {reason: ranges.without(rows, lost) for reason, rows in outcomes.dead.items()}
    return Rewritten(
        [line for line, is_gone in zip(lines, gone, strict=True) if not is_gone],
        Outcomes(
            dropped=_with(outcomes.dropped, lost),
            dead={reason: rows for reason, rows in dead.items() if rows},
            revived=outcomes.revived,
        ),
        _marks(commit.purged, places, gone),
    )


def with_gaps(lines: Sequence[bytes], places: Sequence[Mark], purged: Sequence[Mark]) -> list[NumberedLine]:
    """The lines of a frame in the order of their rows, each with its row, and a gap for each record that was there."""
    all_lines = [*zip(places, lines, strict=True), *((place, GAP) for place in purged)]
    all_lines.sort(key=itemgetter(0))
    return [(row, line) for (row, _), line in all_lines]


def _with(dropped: Mapping[str, Ranges], lost: Ranges) -> dict[str, list[Range]]:
    kept = {reason: list(rows) for reason, rows in dropped.items()}
    return {**kept, REASON: ranges.union_all((kept.get(REASON, ()), lost))} if lost else kept


def _marks(before: Sequence[Mark], places: Sequence[Mark], gone: Sequence[bool]) -> tuple[Mark, ...]:
    return tuple(sorted({*before, *(place for place, is_gone in zip(places, gone, strict=True) if is_gone)}))
