"""What others build on, as a type checker sees it: checked with the tests, never run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import assert_type

from personastream.config import load
from personastream.core.ceilings import Ceilings
from personastream.errors import RowError, Throttled, Unavailable
from personastream.launch.inline import Outcome, Progress, run_config
from personastream.ports import (
    Ask,
    Checkpoints,
    Chunk,
    Limit,
    Offload,
    Provider,
    Recipe,
    ShardState,
    Sink,
    Source,
    StatefulTransform,
    Transform,
)
from personastream.providers.limit import ProviderLimit
from personastream.providers.openai import Openai
from personastream.recipes.generate import Generate
from personastream.records import Batch, Completion, Position, Request, Row, Shard
from personastream.settings import setting
from personastream.sinks.checkpoints import CheckpointLog
from personastream.sinks.frames import Frames
from personastream.sources.jsonl import Jsonl
from personastream.testing import (
    Echo,
    ListSource,
    MemoryCheckpoints,
    MemorySink,
    NoCheckpoints,
    ScriptedProvider,
    inline,
)
from personastream.transforms.dedup import Dedup
from personastream.transforms.filter import Filter
from personastream.transforms.near_dedup import NearDedup


@dataclass
class OneLine:
    """A source of somebody else's."""

    text: str = setting("The only persona.", default="a night nurse")

    def shards(self) -> Sequence[Shard]:
        return [Shard(0, "one", "one", len(self.text), "f")]

    def read(self, shard: Shard, start: int) -> Iterator[Batch]:
        numbers = range(start, 1)
        yield Batch(shard, start, 1, numbers, [self.text for _ in numbers], last=True)


@dataclass
class Containing:
    """A transform of somebody else's."""

    word: str = setting("Rows without this word are dropped.")

    def __call__(self, batch: Batch) -> Batch:
        assert_type(batch.texts, Sequence[str])
        return batch.keep([self.word in text for text in batch.texts], "without_word")


@dataclass
class EveryOther:
    """A stateful transform of somebody else's."""

    count: int = 0

    def __call__(self, batch: Batch) -> Batch:
        before, self.count = self.count, self.count + len(batch.texts)
        return batch.keep([(before + place) % 2 == 0 for place in range(len(batch.texts))], "odd")

    def expect(self, rows: int) -> None:
        """Nothing depends on it."""

    def learnt(self) -> bytes:
        return self.count.to_bytes(8)

    def learn(self, records: bytes) -> None:
        self.count = int.from_bytes(records)


@dataclass
class TwoSteps:
    """A recipe of somebody else's: ordinary code with two requests."""

    async def __call__(self, row: Row, ask: Ask) -> Sequence[dict[str, object]]:
        problem = await ask(Request("", row.text, {"temperature": 0.9}))
        assert_type(problem, Completion)
        solution = await ask(Request("", problem.text, {}))
        if not solution.text:
            raise RowError("no solution", reason="unsolved", response=solution.body)
        return [{"problem": problem.text, "solution": solution.text, "tokens": solution.output_tokens}]


@dataclass
class Local:
    """A provider of somebody else's."""

    in_flight_max: int = setting("Requests at once.", default=4, minimum=1, maximum=64, identity=False)
    requests_per_minute: float = setting("Ceiling; 0 for none.", default=0.0, identity=False)
    tokens_per_minute: float = setting("Ceiling; 0 for none.", default=0.0, identity=False)

    async def complete(self, request: Request) -> Completion:
        if not request.user:
            raise Unavailable("nothing to say")
        if len(request.user) > 1000:
            raise Throttled("slowly", retry_after_s=1.5)
        return Completion(request.user, "stop", "local", 1, 1, b"")

    async def aclose(self) -> None: ...


def ports_are_met() -> None:
    """Ours and theirs."""
    sources: list[Source] = [OneLine(), Jsonl(["x.jsonl"]), ListSource([["a"]])]
    transforms: list[Transform] = [Containing("x"), EveryOther(), Dedup(), NearDedup(), Filter()]
    stateful: list[StatefulTransform] = [EveryOther(), Dedup(), NearDedup()]
    recipes: list[Recipe] = [TwoSteps(), Generate("math"), Echo()]
    providers: list[Provider] = [Local(), Openai("http://127.0.0.1:1/v1", "m"), ScriptedProvider()]
    sinks: list[Sink] = [Frames("run"), MemorySink()]
    checkpoints: list[Checkpoints] = [CheckpointLog("state", b""), NoCheckpoints(), MemoryCheckpoints()]
    limits: list[Limit] = [ProviderLimit(Ceilings(requests_per_minute=60.0), 0.0)]
    offload: Offload = inline
    del sources, transforms, stateful, recipes, providers, sinks, checkpoints, limits, offload


def a_sink_is_read(sink: Sink, chunk: Chunk) -> None:
    sink.attach("id", ["a", "b"])
    for state in sink.recover():
        assert_type(state, ShardState)
        assert_type(state.rows, int | None)
    sink.commit(chunk)
    sink.finish(0, 10)


def checkpoints_are_used(kept: Checkpoints, transforms: Sequence[StatefulTransform]) -> None:
    reached = kept.load(Position(0, 10), transforms)
    assert_type(reached, Position)
    kept.save(reached, transforms)


def a_run_is_started(progress: Progress) -> None:
    outcome = run_config(load("run.toml", ["provider.model=m"]), resume=True, progress=progress, rows_max=100)
    assert_type(outcome, Outcome)
    assert_type(outcome.summary.counts.delivered, int)
