"""The extension protocols. An adapter implements one of them; the engine knows nothing else of it.

Sources, transforms and sinks are synchronous and called from one thread at a time; providers and recipes are async.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol, TypeVar, runtime_checkable

from personastream.core.frame_log import LogKind
from personastream.core.outcomes import Counts, Outcomes, Usage
from personastream.core.ranges import Ranges
from personastream.records import Batch, Completion, DeadLetter, Position, Request, Row, Shard

Ask = Callable[[Request], Awaitable[Completion]]
"""One limited, paced, retried request. Raises `RowError` for the row's own fault, `RunError` to stop the run."""

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


class Transform(Protocol):
    """Thins batches, in source order, deterministically: the same rows in give the same rows out."""

    def __call__(self, batch: Batch) -> Batch: ...


@runtime_checkable
class StatefulTransform(Transform, Protocol):
    """A transform whose decisions depend on earlier rows. What `save` writes, `load` restores exactly."""

    def save(self, file: BinaryIO) -> None: ...

    def load(self, file: BinaryIO) -> None: ...


class Recipe(Protocol):
    """What is asked for a row, as ordinary async code."""

    async def __call__(self, row: Row, ask: Ask) -> Sequence[dict[str, object]]:
        """The row's records, at least one, without `id` (the engine adds it). Raises `RowError` for a dead letter."""


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


class Limit(Protocol):
    """Configured ceilings on requests and tokens per minute."""

    def take(self, request: Request) -> float | None:
        """Like `acquire` if that need not wait, else None; may always be None."""

    async def acquire(self, request: Request) -> float:
        """Wait for a turn; returns the tokens reserved, to be handed to `settle`."""

    def settle(self, reserved: float, used: int) -> None:
        """Tell what a request really used, in tokens (0 for a failed one)."""


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


class Checkpoints(Protocol):
    """Snapshots of the transforms' state, so that a resume need not replay everything. Losing them costs time only."""

    def load(self, not_after: Position, transforms: Sequence[StatefulTransform]) -> Position:
        """Restore the newest usable state taken at or before `not_after`; returns where it was taken (start: 0, 0)."""

    def save(self, at: Position, settled_to: Position, transforms: Sequence[StatefulTransform]) -> None:
        """Keep the state as of `at`, and the newest one from before `settled_to`, the first unsettled row."""
