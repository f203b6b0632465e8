"""Engine runs on a virtual clock: trio with a mock clock that jumps whenever every task waits. Nothing sleeps."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import anyio
import orjson
from trio.testing import MockClock

from personastream.core.pace import Pace
from personastream.core.retry import Health, RetryPolicy
from personastream.engine.endpoint import Endpoint
from personastream.engine.run import Graph, Summary, run
from personastream.engine.settle import GroupCommit
from personastream.engine.statistics import Statistics
from personastream.engine.stop import Stop
from personastream.ports import Checkpoints, Limit, Offload, Recipe, Screen, Transform
from personastream.records import Batch
from personastream.testing import Echo, ListSource, MemorySink, NoCheckpoints, ScriptedProvider, inline

T = TypeVar("T")


def on_virtual_clock(function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
    """Run an async function to its end, in no time."""
    return anyio.run(function, *arguments, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})


@dataclass
class Bench:
    """Everything of a run that tests want to set or see, with defaults that suit most."""

    texts: Sequence[Sequence[str]] = ()
    source: ListSource = field(default_factory=lambda: ListSource([]))
    transforms: Sequence[Transform] = ()
    recipe: Recipe = field(default_factory=Echo)
    provider: ScriptedProvider = field(default_factory=ScriptedProvider)
    limit: Limit | None = None
    sink: MemorySink = field(default_factory=MemorySink)
    checkpoints: Checkpoints = field(default_factory=NoCheckpoints)
    workers: int = 4
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    hedge_after_s: float = 0.0
    hedge_share_max: float = 1.0
    drain_s_max: float = 120.0
    dead_share_max: float = 0.5
    rows_max: int | None = None
    offload: Offload = inline
    screens: Sequence[Screen] = ()
    during: Callable[["Bench"], Coroutine[Any, Any, None]] | None = None
    statistics: Statistics = field(init=False)
    stop: Stop = field(init=False)

    def __post_init__(self) -> None:
        if self.texts:
            self.source = ListSource(self.texts)

    def sit(self) -> Summary:
        """One sitting on a virtual clock, to its end; call again to resume. Raises what the run raises."""
        return on_virtual_clock(self.sit_async)

    async def sit_async(self) -> Summary:
        """One sitting on the running event loop. `during` goes on beside it until it ends."""
        self.stop, self.statistics = Stop(), Statistics()
        shards = self.source.shards()
        self.sink.attach("test", [shard.stem for shard in shards])
        failure: Exception | None = None
        async with anyio.create_task_group() as around:
            if self.during is not None:
                around.start_soon(self.during, self)
            try:
                summary = await run(self.graph(), self.stop, self.statistics, self.offload)
            except Exception as error:  # leaving the group with it would wrap it
                failure = error
            around.cancel_scope.cancel()
        if failure is not None:
            raise failure
        return summary

    def endpoints(self) -> list[Endpoint]:
        """The provider as the engine sees it, with a pace that allows all workers at once."""
        now_s = anyio.current_time()
        pace = Pace(self.workers, adaptive=False, now_s=now_s)
        return [Endpoint(self.provider, pace, Health(self.retry, now_s), self.limit)]

    def graph(self) -> Graph:
        """The run as the engine takes it."""
        sink = self.sink
        return Graph(
            source=self.source,
            shards=self.source.shards(),
            transforms=self.transforms,
            recipe=self.recipe,
            endpoints=self.endpoints(),
            sink=sink,
            checkpoints=self.checkpoints,
            group=GroupCommit(sink.commit_rows_max, sink.commit_bytes_max, sink.commit_interval_s),
            workers=self.workers,
            retry=self.retry,
            hedge_after_s=self.hedge_after_s,
            hedge_share_max=self.hedge_share_max,
            drain_s_max=self.drain_s_max,
            dead_share_max=self.dead_share_max,
            rows_max=self.rows_max,
            screens=self.screens,
        )

    def delivered(self) -> list[str]:
        """Ids of all committed records, sorted."""
        return sorted(record["id"] for record in self.sink.documents())

    def dead(self) -> dict[str, str]:
        """Reason of each dead letter by id."""
        return {letter["id"]: letter["reason"] for letter in self.sink.documents("dead")}


async def duration_s(bench: Bench) -> float:
    """Sit, and tell how many seconds it took on the clock of the event loop."""
    started_s = anyio.current_time()
    await bench.sit_async()
    return anyio.current_time() - started_s


def ids(texts: Sequence[Sequence[str]]) -> list[str]:
    """The ids of all rows of `texts`, sorted."""
    return sorted(f"shard-{shard}:{row}" for shard, rows in enumerate(texts) for row in range(len(rows)))


def after(seconds: float, act: Callable[[Bench], object]) -> Callable[[Bench], Coroutine[Any, Any, None]]:
    """A `during` that does something once, some seconds after the start."""
    return partial(_after, seconds, act)


async def _after(seconds: float, act: Callable[[Bench], object], bench: Bench) -> None:
    await anyio.sleep(seconds)
    act(bench)


@dataclass
class FirstOnly:
    """A stateful transform: of rows with equal texts, the first one survives."""

    seen: set[str] = field(init=False, default_factory=set)
    new: list[str] = field(init=False, default_factory=list)
    expected: list[int] = field(init=False, default_factory=list)

    def __call__(self, batch: Batch) -> Batch:
        assert self.expected, "nobody has said how many rows to expect"
        mask = []
        for text in batch.texts:
            mask.append(text not in self.seen)
            if mask[-1]:
                self.seen.add(text)
                self.new.append(text)
        return batch.keep(mask, "repeated")

    def expect(self, rows: int) -> None:
        assert not self.seen, "to be said before all else"
        self.expected.append(rows)

    def learnt(self) -> bytes:
        records = b"".join(orjson.dumps(text) + b"\n" for text in self.new)
        self.new.clear()
        return records

    def learn(self, records: bytes) -> None:
        *lines, rest = records.split(b"\n")
        texts = list(map(orjson.loads, lines))
        if rest or not self.seen.isdisjoint(texts):
            raise ValueError("cut, or known already")
        self.seen.update(texts)


@dataclass
class Without:
    """A stateless transform: drops rows whose text starts with `prefix`, for `reason`."""

    prefix: str
    reason: str = "unwanted"

    def __call__(self, batch: Batch) -> Batch:
        return batch.keep([not text.startswith(self.prefix) for text in batch.texts], self.reason)
