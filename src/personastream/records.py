"""The data that flows: shards, batches and rows in; requests and completions; settled rows out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress, cycle
from typing import NamedTuple, TypeVar

_Item = TypeVar("_Item")

_NOT = bytes([1]) + bytes(255)

Origin = Mapping[str, object]
"""Other columns of a row's input object, by their dotted path: those that the source was told to keep."""

NO_ORIGIN: Origin = {}

NO_LICENCE = "NOASSERTION"
"""What SPDX writes where nobody says under which licence something is."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One input file. `index` is its place in source order; `stem` is unique in a run and starts each record id.

    `licence` is that of its rows, where they do not say so themselves; "" if nobody says.
    """

    index: int
    stem: str
    path: str
    size_bytes: int
    fingerprint: str
    licence: str = ""


class Position(NamedTuple):
    """A point in source order: all rows of earlier shards, and rows 0 to `row - 1` of shard `shard`, lie before it."""

    shard: int
    row: int


class Row(NamedTuple):
    """One row to ask for: shard index, row number from 0, persona text; for a revived one, the last raw `reply`.

    `id` is `<shard stem>:<number>`, with which the ids of its records begin; `licence` is that of its source.
    """

    shard: int
    number: int
    text: str
    reply: str = ""
    id: str = ""
    origin: Origin = NO_ORIGIN
    licence: str = ""


class DeadRow(NamedTuple):
    """A row that ends in the dead letters: its number, why, a sentence for people, what was read, last response."""

    number: int
    reason: str
    detail: str
    text: str
    response: str = ""
    origin: Origin = NO_ORIGIN
    licence: str = ""


class DeadLetter(NamedTuple):
    """A dead row as it was written down. `asked` tells rows that a model was asked for from unreadable ones."""

    row: DeadRow
    asked: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive rows `start` to `stop - 1` of one shard, as columns.

    `numbers` and `texts` are the rows still alive, in order. `dropped` maps a reason to the numbers of rows a
    transform removed, in order; `dead` holds rows that could not be read. Every row of the range is in exactly one
    of the three. `replies` are the last raw replies to revived rows, one for each of `texts`; so are `origins`, if
    the source keeps columns, and `licences`, if rows say under which they are. `lines` are all rows of the range as
    they were read, without line feeds, whatever became of them, if the source hands them on. `last` marks the end of
    the shard; `bytes_read` is how much of the file lies behind, for estimates.
    """

    shard: Shard
    start: int
    stop: int
    numbers: Sequence[int]
    texts: Sequence[str]
    dropped: Mapping[str, Sequence[int]] = field(default_factory=dict)
    dead: Sequence[DeadRow] = ()
    replies: Sequence[str] = ()
    origins: Sequence[Origin] = ()
    lines: Sequence[bytes] = ()
    last: bool = False
    bytes_read: int = 0
    licences: Sequence[str] = ()

    def keep(self, mask: Sequence[bool] | bytes, reason: str) -> "Batch":
        """Keep the live rows whose `mask` entry is true; the others are dropped for `reason`.

        This is the only way to lose a row. `mask` has one entry per live row: a truth value, or a byte of 0 or 1.
        """
        if len(mask) != len(self.numbers):
            raise ValueError(f"mask has {len(mask)} entries for {len(self.numbers)} rows")
        chosen = bytes(mask)
        if 0 not in chosen:
            return self
        gone = [*self.dropped.get(reason, ()), *_only(self.numbers, chosen.translate(_NOT))]
        gone.sort()  # an earlier transform may have dropped later rows for the same reason
        return replace(self.only(chosen), dropped={**self.dropped, reason: gone})

    def only(self, mask: Sequence[bool] | bytes) -> "Batch":
        """The live rows whose `mask` entry is true, without a word of the others: their ends are known already."""
        chosen = bytes(mask)
        return replace(
            self,
            numbers=_only(self.numbers, chosen),
            texts=_only(self.texts, chosen),
            replies=tuple(_only(self.replies, chosen)),
            origins=tuple(_only(self.origins, chosen)),
            licences=tuple(_only(self.licences, chosen)),
        )


def _only(column: Sequence[_Item], chosen: bytes) -> Sequence[_Item]:
    """The entries of a column, if it has any, whose byte is not 0. Some columns can do that: those of `packed`."""
    only: Callable[[bytes], Sequence[_Item]] | None = getattr(column, "only", None)
    return list(compress(column, chosen)) if only is None else only(chosen)


class Request(NamedTuple):
    """What is asked of a model: a system text (may be empty), a user text, and sampling parameters.

    `parameters` go into the request body as they are (`temperature`, `max_tokens`, `seed`, `stop` …). `provider` is
    the name of those that may answer it; any may if it is empty. `history` are the turns of a conversation before the
    user text: user and assistant by turns, the user first.
    """

    system: str
    user: str
    parameters: Mapping[str, object]
    provider: str = ""
    history: tuple[str, ...] = ()

    @property
    def characters(self) -> int:
        """Of all texts together."""
        own = len(self.system) + len(self.user)
        return own + sum(map(len, self.history)) if self.history else own

    @property
    def messages(self) -> list[dict[str, str]]:
        """The turns and the user text, as chat protocols write them; without the system text."""
        if not self.history:
            return [{"role": "user", "content": self.user}]
        roles = cycle(("user", "assistant"))
        return [{"role": role, "content": text} for role, text in zip(roles, (*self.history, self.user), strict=False)]


class Completion(NamedTuple):
    """What a model answered. Token counts are the endpoint's own, 0 where it gave none; `body` is the raw reply.

    `cached_tokens` is the part of `input_tokens` that the endpoint had in its cache. `headers` are those of the
    reply, names in any case, for what they tell of limits; None if there are none.
    """

    text: str
    finish_reason: str
    model: str
    input_tokens: int
    output_tokens: int
    body: bytes
    cached_tokens: int = 0
    headers: Mapping[str, str] | None = None


class Prices(NamedTuple):
    """What a million tokens cost, in any currency: input, input that was cached, output."""

    input: float = 0.0
    cached_input: float = 0.0
    output: float = 0.0
