"""The extension protocols. An adapter implements one of them; the engine knows nothing else of it.

Sources, transforms and sinks are synchronous and called from one thread at a time; providers and recipes are async.
"""

from collections.abc import Awaitable, Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, runtime_checkable

from personastream.core.ceilings import Ceilings
from personastream.core.frame_log import LogKind
from personastream.core.outcomes import Counts, Outcomes, Usage
from personastream.core.ranges import Ranges
from personastream.errors import RunError
from personastream.records import Batch, Completion, DeadLetter, Position, Request, Row, Shard

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Ask = Callable[[Request], Awaitable[Completion]]
"""One limited, paced, retried request. Raises `RowError` for the row's own fault, `RunError` to stop the run."""

CHAT, MODERATION = "chat", "moderation"
"""What providers answer with (`ANSWERS`), and what screens and recipes ask for (`ASKS`); a chat if they do not say."""

T = TypeVar("T")


class Offload(Protocol):
    """Runs a blocking function in a thread and awaits its result."""

    async def __call__(self, function: Callable[[], T], /) -> T: ...


class Source(Protocol):
    """Where rows come from."""

    def shards(self) -> Sequence[Shard]:
        """All input files in source order. Raises `BadInput` or `ConfigError`."""

    def read(self, shard: Shard, start: int) -> Iterator[Batch]:
        """Batches of `shard` from row `start`, in order, the same on every call; the final one has `last` set.

        A shard without further rows yields one empty batch with `last` set. Raises `BadInput` naming file and offset.
        """


class Stock(NamedTuple):
    """What a growing source has at one moment: shards that are whole, as values that change with them, and the names of
    files that are not.
    """

    whole: tuple[Hashable, ...]
    unfinished: tuple[str, ...] = ()


@runtime_checkable
class Growing(Source, Protocol):
    """A source that may get more shards while a run is on, if it says `follow`; it is looked at every `follow_s`."""

    follow: bool
    follow_s: float

    def look(self) -> Stock:
        """What there is now. Costs next to nothing as long as nothing changes. Raises `ConfigError`."""

    def arrived(self, known: Collection[str]) -> Sequence[Shard]:
        """The shards that are whole, and those with `known` stems, whatever has become of them. Raises `BadInput`."""


class Transform(Protocol):
    """Thins batches, in source order, deterministically: the same rows in give the same rows out."""

    def __call__(self, batch: Batch) -> Batch: ...


@runtime_checkable
class StatefulTransform(Transform, Protocol):
    """A transform whose decisions depend on earlier rows. It keeps a journal: what it learns from rows, as records.

    A new instance that is told the same `expect` and takes in all records, in order, decides like the first one.
    """

    def expect(self, rows: int) -> None:
        """About so many rows will come in the whole run, however many sittings it takes. Said once, before all else."""

    def learnt(self) -> bytes:
        """What has been learnt from rows since the last call; what came by `learn` is not part of it."""

    def learn(self, records: bytes) -> None:
        """Take in what `learnt` returned, call by call and in order. Raises `ValueError` if that cannot be."""


class Recipe(Protocol):
    """What is asked for a row, as ordinary async code."""

    async def __call__(self, row: Row, ask: Ask) -> Sequence[dict[str, object]]:
        """The row's records, at least one, without `id` (the engine adds it). Raises `RowError` for a dead letter."""


class Judgement(NamedTuple):
    """What a screen says of a text: why it must not pass, the gravest reason first; nothing if it may.

    Reasons are short snake_case labels. `redacted` is the text with marks such as `[email]` in place of what was found;
    None if the screen cannot tell where that is.
    """

    reasons: tuple[str, ...] = ()
    redacted: str | None = None


class Screen(Protocol):
    """Judges texts: of rows before they are asked for (`on` is `row` or `both`), of records (`reply` or `both`).

    `policy` is what becomes of what it finds: `drop`, `redact` or `flag`. It may also have `sample`, the share of rows
    that it judges, and, if it can fail, `unavailable` (`closed`: nothing goes out unscreened; `open`: it does, and says
    so), `patience_s`, how long it may take if it is open, and `MODEL_ONLY`, if it is to see only what the model wrote.
    """

    @property
    def name(self) -> str:
        """With which its reasons begin, and by which records tell of it."""

    @property
    def on(self) -> str: ...

    @property
    def policy(self) -> str: ...

    async def __call__(self, texts: Sequence[str], ask: Ask) -> Sequence[Judgement]:
        """One judgement a text, in order. May ask; raises `RowError` if that does not bring a judgement."""


@runtime_checkable
class Inferring(Protocol):
    """A recipe some of whose demonstrations have no persona yet: each is inferred once in the life of a run."""

    @property
    def unknown(self) -> Mapping[str, str]:
        """Texts whose persona is still to be inferred, by a key that lasts."""

    async def infer(self, text: str, ask: Ask) -> str:
        """The persona behind a text. Raises `RunError`."""

    def learn(self, personas: Mapping[str, str]) -> None:
        """Take in what was inferred, by the keys of `unknown`. Comes before the first row."""


@runtime_checkable
class Meeting(Protocol):
    """A recipe that brings a row's persona together with others of the input."""

    @property
    def strangers(self) -> int:
        """How many rows of the input, from the first on, it has to know; 0 if it knows them already."""

    def meet(self, personas: Sequence[str], licences: Sequence[str] = ()) -> None:
        """Take them in, with the licence of each. Comes before the first row. Raises `RunError`."""


class Provider(Protocol):
    """A model service and the ceilings set for it; 0 requests or tokens a minute means none."""

    @property
    def in_flight_max(self) -> int: ...

    @property
    def requests_per_minute(self) -> float: ...

    @property
    def tokens_per_minute(self) -> float: ...

    async def complete(self, request: Request) -> Completion:
        """One attempt on the wire. Raises `AttemptError` and nothing else."""

    async def aclose(self) -> None: ...


class Tokens(NamedTuple):
    """Tokens of a prompt and of a reply, guessed or counted."""

    input: float
    output: float


NO_TOKENS = Tokens(0, 0)


class Limit(Protocol):
    """Ceilings on requests and tokens per minute. `now_s` is any monotonic time in seconds; nobody waits inside."""

    @property
    def bounds(self) -> bool:
        """Whether there are any now: if not, nothing but `change` need be called."""

    def change(self, ceilings: Ceilings, now_s: float) -> None:
        """From now on these are the ceilings."""

    def wait_s(self, request: Request, now_s: float) -> float:
        """Seconds until this request may be sent, if no other is meanwhile; 0: now."""

    def take(self, request: Request) -> Tokens:
        """The request is sent; the tokens reserved for it, to be handed to `settle`."""

    def settle(self, reserved: Tokens, used: Tokens) -> None:
        """Tell what a request really used (nothing, for a failed one)."""


class Embedder(Protocol):
    """Turns texts into vectors of one length each. Blocks."""

    def __call__(self, texts: Sequence[str]) -> Sequence["NDArray[np.float32] | None"]:
        """One vector a text, in order; None for a text that has none. Raises `RunError`."""


@runtime_checkable
class Embedding(Protocol):
    """A transform that needs vectors: `service` has the settings of the endpoint that makes them."""

    @property
    def service(self) -> Mapping[str, Any]: ...

    def bind(self, embedder: Embedder) -> None:
        """Comes before the first batch."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What is committed in one go to one log of one shard: lines without line feeds, the rows they settle, the cost."""

    shard: int
    kind: LogKind
    lines: Sequence[bytes]
    outcomes: Outcomes
    usage: Usage


@dataclass(frozen=True, slots=True)
class ShardState:
    """What a sink found of a shard: its settled rows, how they ended, the cost; `rows` once all are read and settled.

    `revived` are rows that had died and are to be asked again; all others are settled, then, if `rows` is known.
    """

    settled: Ranges
    counts: Counts
    usage: Usage
    rows: int | None
    revived: Ranges = ()

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.rows is not None and not self.revived


class Sink(Protocol):
    """Where outcomes are made durable, in the run directory `path`. One caller at a time.

    A commit is due at half of `commit_rows_max` rows, at `commit_bytes_max` bytes, or after `commit_interval_s`.
    """

    @property
    def path(self) -> str: ...

    @property
    def commit_rows_max(self) -> int: ...

    @property
    def commit_bytes_max(self) -> int: ...

    @property
    def commit_interval_s(self) -> float: ...

    def attach(self, run_id: str, shards: Sequence[str]) -> None:
        """Say for which run and shards (stems in source order) to write. Comes before all else."""

    def recover(self) -> Sequence[ShardState]:
        """The state of each shard, in source order; a torn tail is cut off. Raises `CorruptOutput`."""

    def commit(self, chunk: Chunk) -> None:
        """Durable on return. Raises `DiskFull` (nothing changed, may be tried again) or `StorageFailed`."""

    def finish(self, shard: int, rows: int) -> None:
        """All `rows` rows of the shard are settled: seal its output. Raises like `commit`; may be tried again."""

    def revive(self, shard: int, rows: Mapping[str, Ranges]) -> None:
        """Take back dead rows, by the reason of their death: they are to be asked again. Raises like `commit`."""

    def letters(self, shard: int) -> Iterator[DeadLetter]:
        """Dead letters of rows that are dead or revived now, in the order of their deaths; a row may have several."""


class Watch(Protocol):
    """Sees what is committed, and may stop the run. One caller at a time."""

    @property
    def alert(self) -> str:
        """What people should know of, in words; empty if nothing."""

    def committed(self, chunk: Chunk) -> None:
        """It is durable. Blocks."""

    def problem(self) -> RunError | None:
        """Why the run must stop, if it must."""


class Checkpoints(Protocol):
    """The journals of the transforms, so that a resume need not replay everything. Losing them costs time only."""

    def load(self, not_after: Position, transforms: Sequence[StatefulTransform]) -> Position:
        """Teach new transforms what was learnt up to `not_after`, or less; forget the rest. Comes before any `save`.

        Returns how far that goes (0, 0 at worst): rows from there on have to be replayed.
        """

    def save(self, at: Position, transforms: Sequence[StatefulTransform]) -> None:
        """Take what the transforms have learnt since the last time, from the rows before `at`, and keep it if it can.

        To be called often: it costs what is new, and transforms hold that in memory until then.
        """
