"""Stand-ins for every port, in memory: for tests of your own adapters, and of ours. No disk, no network, any clock.

    source = ListSource([["a night nurse", "a baker"]])
    provider = ScriptedProvider(latency_s=0.2, fault=lambda request, asked: Unavailable("flaky") if not asked else None)
    sink = MemorySink()

Times are seconds on the clock of the running event loop, so that a mock clock makes them instantaneous. The stand-ins
pass the same conformance tests as the real adapters.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio
import anyio.lowlevel
import orjson
import xxhash

from personastream.core import ranges
from personastream.core.frame_log import LogKind, PartRows, ShardRows, replay
from personastream.core.outcomes import Counts, Outcomes, Usage
from personastream.core.ranges import Ranges
from personastream.errors import AttemptError, BadInput, DiskFull, StorageFailed
from personastream.ports import Ask, Chunk, ShardState, StatefulTransform
from personastream.records import Batch, Completion, DeadLetter, DeadRow, Position, Request, Row, Shard

T = TypeVar("T")


@dataclass
class ListSource:
    """Rows from lists of texts, one list a shard, `batch_rows` at a time.

    Rows in `unreadable`, as (shard, row), come out dead. The batch that holds row `fails_at` raises `BadInput`.
    `reads` lists the (shard, row) at which reading began, `rows_read` counts the rows of all batches.
    """

    texts: Sequence[Sequence[str]]
    batch_rows: int = 4
    unreadable: Collection[tuple[int, int]] = ()
    fails_at: tuple[int, int] | None = None
    reads: list[tuple[int, int]] = field(init=False, default_factory=list)
    rows_read: int = field(init=False, default=0)

    def shards(self) -> Sequence[Shard]:
        found = []
        for index, texts in enumerate(self.texts):
            content = b"".join(text.encode() + b"\n" for text in texts)
            fingerprint = xxhash.xxh3_128_hexdigest(content)
            found.append(Shard(index, f"shard-{index}", f"memory:{index}", len(content), fingerprint))
        return found

    def read(self, shard: Shard, start: int) -> Iterator[Batch]:
        texts = self.texts[shard.index]
        self.reads.append((shard.index, start))
        first, length = start, len(texts)
        while True:
            stop = min(length, first + self.batch_rows)
            if self.fails_at is not None and self.fails_at in ((shard.index, row) for row in range(first, stop)):
                raise BadInput(f"{shard.path}: row {self.fails_at[1]}: is damaged", hint="This is a test.")
            self.rows_read += stop - first
            yield self._batch(shard, first, stop, last=stop == length)
            if stop == length:
                return
            first = stop

    def _batch(self, shard: Shard, start: int, stop: int, *, last: bool) -> Batch:
        texts = self.texts[shard.index]
        gone = {row for row in range(start, stop) if (shard.index, row) in self.unreadable}
        numbers = [row for row in range(start, stop) if row not in gone]
        return Batch(
            shard,
            start,
            stop,
            numbers,
            [texts[row] for row in numbers],
            dead=[DeadRow(row, "unreadable", "cannot be read", texts[row]) for row in sorted(gone)],
            last=last,
            bytes_read=shard.size_bytes * stop // max(1, len(texts)),
        )


def no_fault(request: Request, asked: int) -> AttemptError | None:
    """Every attempt succeeds."""


@dataclass
class ScriptedProvider:
    """Answers every request with its own user text, after `latency_s` or what that says for a request.

    `fault(request, asked)` is raised instead of answering, if it is not None; `asked` counts the earlier attempts
    with the same user text. `requests` lists all attempts, `in_flight_most` is the most there were at once.
    """

    in_flight_max: int = 8
    requests_per_minute: float = 0.0
    tokens_per_minute: float = 0.0
    latency_s: float | Callable[[Request, int], float] = 0.0
    fault: Callable[[Request, int], AttemptError | None] = no_fault
    requests: list[Request] = field(init=False, default_factory=list)
    in_flight: int = field(init=False, default=0)
    in_flight_most: int = field(init=False, default=0)
    closed: bool = field(init=False, default=False)
    _asked: dict[str, int] = field(init=False, default_factory=dict)

    async def complete(self, request: Request) -> Completion:
        asked = self._asked.get(request.user, 0)
        self._asked[request.user] = asked + 1
        self.requests.append(request)
        self.in_flight += 1
        self.in_flight_most = max(self.in_flight_most, self.in_flight)
        try:
            await anyio.sleep(self.latency_s(request, asked) if callable(self.latency_s) else self.latency_s)
        finally:
            self.in_flight -= 1
        fault = self.fault(request, asked)
        if fault is not None:
            raise fault
        words = len(request.user.split())
        return Completion(request.user, "stop", "scripted", words, words, request.user.encode())

    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.closed = True


@dataclass
class Echo:
    """The shortest recipe: asks with the persona itself and delivers what comes back."""

    async def __call__(self, row: Row, ask: Ask) -> list[dict[str, object]]:
        completion = await ask(Request("", row.text, {}))
        return [{"input persona": row.text, "synthesized text": completion.text}]


def no_refusal(write: int) -> DiskFull | StorageFailed | None:
    """Every write succeeds."""


@dataclass
class MemorySink:
    """Keeps commits in lists. What `commit` took survives the run, as a disk would: attach again to resume.

    `refusal(write)` is raised, if it is not None, by the commit or finish number `write`, counted from 0; nothing has
    changed then. Broken promises of the caller are errors: `Overlap` for a row committed twice, `AssertionError` for
    a shard that is finished early or written to later.
    """

    path: str = "memory"
    commit_rows_max: int = 8
    commit_bytes_max: int = 1 << 20
    commit_interval_s: float = 1.0
    refusal: Callable[[int], DiskFull | StorageFailed | None] = no_refusal
    writes: int = field(init=False, default=0)
    chunks: list[list[Chunk]] = field(init=False, default_factory=list)
    rows: list[int | None] = field(init=False, default_factory=list)
    _run: tuple[str, tuple[str, ...]] | None = field(init=False, default=None)
    _sealed: set[int] = field(init=False, default_factory=set)

    def attach(self, run_id: str, shards: Sequence[str]) -> None:
        run = (run_id, tuple(shards))
        if self._run is None:
            self._run = run
            self.chunks, self.rows = [[] for _ in shards], [None] * len(shards)
        assert self._run == run, "one sink is for one run"

    def recover(self) -> list[ShardState]:
        states = []
        for shard, (chunks, rows) in enumerate(zip(self.chunks, self.rows, strict=True)):
            settled, _, revived = self._replay(shard)
            counts = sum((chunk.outcomes.counts() for chunk in chunks), Counts())
            usage = sum((chunk.usage for chunk in chunks), Usage())
            known = rows if revived or shard in self._sealed else None
            states.append(ShardState(settled, counts, usage, known, tuple(revived)))
        return states

    def commit(self, chunk: Chunk) -> None:
        self._write()
        assert chunk.shard not in self._sealed, "the shard is finished"
        self._append(chunk)

    def finish(self, shard: int, rows: int) -> None:
        self._write()
        assert self._replay(shard)[0] == ([(0, rows)] if rows else []), "rows of the shard are not settled"
        self.rows[shard] = rows
        self._sealed.add(shard)

    def letters(self, shard: int) -> Iterator[DeadLetter]:
        _, died, revived = self._replay(shard)
        for line in (line for chunk in self.chunks[shard] if chunk.kind == "dead" for line in chunk.lines):
            letter = orjson.loads(line)
            number, asked = int(letter.pop("id").rpartition(":")[2]), letter.pop("asked")
            if ranges.contains(died, number) or ranges.contains(revived, number):
                yield DeadLetter(DeadRow(number, **letter), asked)

    def revive(self, shard: int, rows: Mapping[str, Ranges]) -> None:
        self._write()
        self._append(Chunk(shard, "dead", (), Outcomes(revived=rows), Usage()))
        self._sealed.discard(shard)

    def _append(self, chunk: Chunk) -> None:
        self.chunks[chunk.shard].append(chunk)
        try:
            self._replay(chunk.shard)
        except ValueError:
            self.chunks[chunk.shard].pop()
            raise

    def _replay(self, shard: int) -> ShardRows:
        parts: dict[LogKind, list[PartRows]] = {"data": [], "dead": []}
        for chunk in self.chunks[shard]:
            parts[chunk.kind].append(PartRows(chunk.outcomes.taken_back(), chunk.outcomes.settled()))
        return replay(parts["data"], parts["dead"])

    def documents(self, kind: LogKind = "data") -> list[dict[str, Any]]:
        """All committed records, or dead letters, in the order of their commits within each shard."""
        lines = (line for chunks in self.chunks for chunk in chunks if chunk.kind == kind for line in chunk.lines)
        return [orjson.loads(line) for line in lines]

    def _write(self) -> None:
        self.writes += 1
        refusal = self.refusal(self.writes - 1)
        if refusal is not None:
            raise refusal


@dataclass
class NoCheckpoints:
    """Keeps nothing: every resume replays its input from the start."""

    def load(self, not_after: Position, transforms: Sequence[StatefulTransform]) -> Position:
        return Position(0, 0)

    def save(self, at: Position, transforms: Sequence[StatefulTransform]) -> None:
        for transform in transforms:
            transform.learnt()


@dataclass
class MemoryCheckpoints:
    """Keeps what was learnt, with the position up to which it goes, in order."""

    saved: list[tuple[Position, list[bytes]]] = field(default_factory=list)

    def load(self, not_after: Position, transforms: Sequence[StatefulTransform]) -> Position:
        self.saved = [(at, journals) for at, journals in self.saved if at <= not_after]
        for _, journals in self.saved:
            for transform, records in zip(transforms, journals, strict=False):
                transform.learn(records)
        return self.saved[-1][0] if self.saved else Position(0, 0)

    def save(self, at: Position, transforms: Sequence[StatefulTransform]) -> None:
        self.saved.append((at, [transform.learnt() for transform in transforms]))


async def inline(function: Callable[[], T], /) -> T:
    """An `Offload` that calls the function here and now, on the event loop."""
    await anyio.lowlevel.checkpoint()
    return function()
