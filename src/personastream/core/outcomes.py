"""What became of rows: the three ends a row can have, how many met each, and what they cost."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from operator import add, sub

from personastream.core import ranges
from personastream.core.ranges import Range, Ranges


@dataclass(frozen=True, slots=True)
class Usage:
    """What was spent: requests on the wire, tokens as the endpoints counted them, money in billionths of its unit.

    `cached_tokens` is the part of `input_tokens` that endpoints had in their caches.
    """

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    spend_nanos: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(*map(add, astuple(self), astuple(other)))

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(*map(sub, astuple(self), astuple(other)))


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Row numbers of one shard by end: delivered, dropped by reason, dead by reason. The sets are disjoint.

    `revived` are rows, by the reason of their death, that died earlier and have no end any more: asked again.
    """

    delivered: Ranges = ()
    dropped: Mapping[str, Ranges] = field(default_factory=dict)
    dead: Mapping[str, Ranges] = field(default_factory=dict)
    revived: Mapping[str, Ranges] = field(default_factory=dict)

    def settled(self) -> list[Range]:
        """All rows that have met an end. Raises `Overlap` if one met two."""
        return ranges.union_all((self.delivered, *self.dropped.values(), *self.dead.values()))

    def taken_back(self) -> list[Range]:
        """All rows that have no end any more."""
        return ranges.union_all(self.revived.values())

    def counts(self) -> "Counts":
        """How many rows met each end; fewer than none for what is taken back."""
        return Counts(
            ranges.count(self.delivered),
            {reason: ranges.count(rows) for reason, rows in self.dropped.items()},
            _summed(
                {reason: ranges.count(rows) for reason, rows in self.dead.items()},
                {reason: -ranges.count(rows) for reason, rows in self.revived.items()},
            ),
        )


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows met each end. A part of a whole may hold numbers below 0: rows that died in an earlier part."""

    delivered: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    dead: Mapping[str, int] = field(default_factory=dict)

    @property
    def dropped_total(self) -> int:
        """Rows dropped for any reason."""
        return sum(self.dropped.values())

    @property
    def dead_total(self) -> int:
        """Rows dead for any reason."""
        return sum(self.dead.values())

    @property
    def settled(self) -> int:
        """Rows that met any end."""
        return self.delivered + self.dropped_total + self.dead_total

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.delivered + other.delivered,
            _summed(self.dropped, other.dropped),
            _summed(self.dead, other.dead),
        )


def _summed(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    return {reason: first.get(reason, 0) + second.get(reason, 0) for reason in (*first, *second)}
