"""What a run has drawn from its models so far, and how near that is to caps on it. Pure.

Counts by model and overlaps are sums over records. Near copies are counted among the last so many replies, by 64-bit
signatures: a reply is one if its signature lies within three bits of an earlier one's there. Two signatures that near
agree in one of four quarters, so an earlier one is looked for among those that share a quarter.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

DISTANCE_MAX = 3
JUDGED_MIN = 100
"""The share of near copies is judged from so many replies on."""
EXAMPLES_MAX = 5
CROWD_MAX = 64
"""Of signatures that share a quarter, so many of the latest are compared: what more of them there are, are alike."""
_QUARTERS, _BITS = 4, 16


class Drawn(NamedTuple):
    """A record: its id, the model, its output tokens, the signature of its texts, and whether it overlaps."""

    id: str
    model: str
    output_tokens: int
    signature: int
    overlaps: bool

    @property
    def is_first(self) -> bool:
        """Whether it is the first record of its row: several for one persona may well be alike."""
        return self.id.rpartition(":")[2].partition("#")[2] in ("", "0")


class Reading(NamedTuple):
    """How a figure stands against its cap. `examples` are ids of records that drove it."""

    what: str
    value: float
    cap: float
    setting: str
    examples: Sequence[str] = ()

    @property
    def is_passed(self) -> bool:
        """Whether the figure is above its cap."""
        return self.value > self.cap


@dataclass(slots=True)
class NearCopies:
    """The signatures of the last `window` replies, and which of these were near copies when they came."""

    window: int
    last: deque[tuple[int, bool]] = field(default_factory=deque)
    copies: int = 0
    _taken: int = 0
    _by_quarter: defaultdict[tuple[int, int], deque[tuple[int, int]]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=CROWD_MAX))
    )

    @property
    def share(self) -> float:
        """Of the last replies, that of near copies; 0 while there are too few to judge."""
        return self.copies / len(self.last) if len(self.last) >= JUDGED_MIN else 0.0

    def take(self, signature: int) -> bool:
        """The signature of one more reply; whether that is a near copy."""
        is_copy = any(self._is_near(signature, quarter) for quarter in _quarters(signature))
        self.put(signature, is_copy)
        return is_copy

    def put(self, signature: int, is_copy: bool) -> None:
        """One more reply, of which it is known whether it is a near copy."""
        if len(self.last) == self.window:
            self._drop_oldest()
        self.last.append((signature, is_copy))
        self.copies += is_copy
        for quarter in _quarters(signature):
            self._by_quarter[quarter].append((self._taken, signature))
        self._taken += 1

    def _is_near(self, signature: int, quarter: tuple[int, int]) -> bool:
        known = self._by_quarter.get(quarter, ())
        return any((signature ^ other).bit_count() <= DISTANCE_MAX for _, other in known)

    def _drop_oldest(self) -> None:
        signature, was_copy = self.last.popleft()
        self.copies -= was_copy
        oldest = self._taken - self.window
        for quarter in _quarters(signature):
            known = self._by_quarter.get(quarter)
            while known and known[0][0] <= oldest:
                known.popleft()
            if known is not None and not known:
                del self._by_quarter[quarter]


@dataclass(slots=True)
class Tally:
    """All that is counted. Order matters for near copies only."""

    near: NearCopies
    records: Counter[str] = field(default_factory=Counter)
    output_tokens: Counter[str] = field(default_factory=Counter)
    overlaps: int = 0
    overlapping: list[str] = field(default_factory=list)
    copies: deque[str] = field(default_factory=lambda: deque(maxlen=EXAMPLES_MAX))

    def take(self, drawn: Drawn) -> None:
        """One more record."""
        self.records[drawn.model] += 1
        self.output_tokens[drawn.model] += drawn.output_tokens
        if drawn.overlaps:
            self.overlaps += 1
            if len(self.overlapping) < EXAMPLES_MAX:
                self.overlapping.append(drawn.id)
        if drawn.is_first and self.near.take(drawn.signature):
            self.copies.append(drawn.id)

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {
            "records": dict(self.records),
            "output_tokens": dict(self.output_tokens),
            "overlaps": self.overlaps,
            "overlapping": self.overlapping,
            "copies": list(self.copies),
            "last": [[signature, is_copy] for signature, is_copy in self.near.last],
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any], window: int) -> "Tally":
        """What `as_dict` gave; of a larger window than now, the latest. Raises `ValueError` and its like."""
        tally = cls(
            NearCopies(window),
            Counter(told["records"]),
            Counter(told["output_tokens"]),
            int(told["overlaps"]),
            list(map(str, told["overlapping"])),
            deque(map(str, told["copies"]), maxlen=EXAMPLES_MAX),
        )
        for signature, is_copy in told["last"]:
            tally.near.put(int(signature), bool(is_copy))
        return tally


def _quarters(signature: int) -> Iterator[tuple[int, int]]:
    for quarter in range(_QUARTERS):
        yield quarter, signature >> (_BITS * quarter) & 0xFFFF
