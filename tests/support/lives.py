"""A run in many lives: each ends in its own way, the last one undisturbed. Everything follows from one `World`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal
from unittest.mock import patch

import anyio

from personastream.core import ranges
from personastream.core.retry import RetryPolicy
from personastream.engine.ask import PROBE
from personastream.errors import (
    AttemptError,
    BadInput,
    DiskFull,
    DiskStillFull,
    ProviderRejected,
    Refused,
    RunError,
    StaleConnection,
    StorageFailed,
    Throttled,
    Unauthorized,
    Unavailable,
)
from personastream.records import Request
from personastream.testing import ListSource, MemoryCheckpoints, MemorySink, ScriptedProvider
from tests.support.virtual import Bench, FirstOnly, Without, on_virtual_clock

End = Literal["crash", "drain", "abort", "rows_max", "storage", "rejected", "source"]
ENDS: tuple[End, ...] = ("crash", "crash", "crash", "drain", "abort", "rows_max", "storage", "rejected", "source")
LOSING: tuple[End, ...] = ("crash", "abort", "storage")
"""Ends at which rows in flight and one group of outcomes may be lost, to be asked again."""
FAILURES: Mapping[End | None, type[RunError]] = {
    "storage": StorageFailed,
    "rejected": ProviderRejected,
    "source": BadInput,
    "abort": DiskStillFull,  # if the disk is full just then
}
OUTAGE_S = 20.0
Outcomes = Mapping[tuple[int, int], str]


@dataclass(frozen=True)
class World:
    """`texts` by shard; `poison` texts are refused; `lives` end as they say, at a time or count drawn from 0 to 1."""

    texts: list[list[str]]
    poison: set[str]
    unreadable: set[tuple[int, int]]
    workers: int
    batch_rows: int
    commit_rows_max: int
    checkpoint_rows: int
    faults_max: int
    outage_at_s: float
    lives: list[tuple[End, float]]
    seed: int

    @classmethod
    def drawn(cls, chance: Random) -> "World":
        """Small worlds: what goes wrong goes wrong with few rows."""
        texts = [
            [chance.choice("abcdefghijklmnopqx") * chance.randint(1, 2) for _ in range(chance.randint(0, 12))]
            for _ in range(chance.randint(1, 4))
        ]
        places = [(shard, row) for shard, rows in enumerate(texts) for row in range(len(rows))]
        return cls(
            texts=texts,
            poison={text for text in "adgj" if chance.random() < 0.3},
            unreadable={place for place in places if chance.random() < 0.05},
            workers=chance.randint(1, 5),
            batch_rows=chance.randint(1, 6),
            commit_rows_max=chance.randint(1, 6),
            checkpoint_rows=chance.randint(1, 6),
            faults_max=chance.randint(0, 2),
            outage_at_s=chance.uniform(0.0, 60.0),
            lives=[(chance.choice(ENDS), chance.random()) for _ in range(chance.randint(0, 5))],
            seed=chance.randint(0, 1 << 30),
        )

    @property
    def rows(self) -> int:
        """Rows in all shards."""
        return sum(map(len, self.texts))


def expected(world: World) -> Outcomes:
    """What becomes of each row, told by one loop over all of them."""
    outcomes, seen = {}, set()
    for shard, rows in enumerate(world.texts):
        for row, text in enumerate(rows):
            place = (shard, row)
            if place in world.unreadable:
                outcomes[place] = "dead: unreadable"
            elif text.startswith("x"):
                outcomes[place] = "dropped: unwanted"
            elif text in seen:
                outcomes[place] = "dropped: repeated"
            else:
                outcomes[place] = "dead: refused" if text in world.poison else "delivered"
                seen.add(text)
    return outcomes


@dataclass
class Simulation:
    """The lives of one world. `found` is what the sink holds; `lost_max` how many answers may have been in vain."""

    world: World
    checkpoints: MemoryCheckpoints = field(default_factory=MemoryCheckpoints)
    answers: int = 0
    lost_max: int = 0
    sink: MemorySink = field(init=False)
    chance: Random = field(init=False)

    def __post_init__(self) -> None:
        self.sink = MemorySink(commit_rows_max=self.world.commit_rows_max, commit_interval_s=3.0)
        self.chance = Random(self.world.seed)

    def run(self) -> None:
        """Live through all lives. Raises `AssertionError`, or whatever else the run should not have raised."""
        with patch("personastream.engine.feed.CHECKPOINT_ROWS", self.world.checkpoint_rows):
            for end, when in self.world.lives:
                self._checked_life(end, when)
            assert self._checked_life(None, 1.0), "a life without trouble finishes the run"
        assert self.found() == expected(self.world)
        assert self.sink.rows == [len(rows) for rows in self.world.texts]
        self._check_records()

    def found(self) -> Outcomes:
        """What the sink holds of each settled row."""
        outcomes: dict[tuple[int, int], str] = {}
        for chunks in self.sink.chunks:
            for chunk in chunks:
                ends = [("delivered", chunk.outcomes.delivered)]
                ends += [(f"dropped: {reason}", rows) for reason, rows in chunk.outcomes.dropped.items()]
                ends += [(f"dead: {reason}", rows) for reason, rows in chunk.outcomes.dead.items()]
                for end, rows in ends:
                    outcomes.update({(chunk.shard, row): end for start, stop in rows for row in range(start, stop)})
        return outcomes

    def _checked_life(self, end: End | None, when: float) -> bool:
        finished = on_virtual_clock(self._life, end, when)
        found, right = self.found(), expected(self.world)
        assert found == {place: right[place] for place in found}, "a row met another end than its own"
        if end in LOSING:
            self.lost_max += self.world.workers + self.world.commit_rows_max
        assert self.answers - self._answers_kept() <= self.lost_max, "answers were lost that should have been committed"
        return finished

    def _answers_kept(self) -> int:
        counts = [state.counts for state in self.sink.recover()]
        return sum(count.delivered + count.dead.get("refused", 0) for count in counts)

    async def _life(self, end: End | None, when: float) -> bool:
        bench = self._bench(end, when)
        length_s = 2.0 + 3.0 * self.world.rows / self.world.workers
        if end == "crash":
            with anyio.move_on_after(when * length_s):
                return (await bench.sit_async()).finished
            return False
        if end in ("drain", "abort"):
            bench.during = _stopping(end, when * length_s)
        try:
            return (await bench.sit_async()).finished
        except FAILURES.get(end, ()):
            return False

    def _bench(self, end: End | None, when: float) -> Bench:
        world, answers_before = self.world, self.answers
        stops_at = int(when * (world.rows + 1))
        source = ListSource(world.texts, batch_rows=world.batch_rows, unreadable=world.unreadable)
        places = [(shard, row) for shard, rows in enumerate(world.texts) for row in range(len(rows))]
        if end == "source" and places:
            source.fails_at = places[min(stops_at, len(places) - 1)]
        writes_before = self.sink.writes
        kept_before = self._answers_kept() if self.sink.rows else 0

        def refusal(write: int) -> DiskFull | StorageFailed | None:
            if end == "storage" and write - writes_before >= stops_at:
                return StorageFailed("cannot sync")
            return DiskFull("no space left") if self.chance.random() < 0.1 else None

        def fault(request: Request, asked: int) -> AttemptError | None:
            open_rows = bench.statistics.handed_out - (self._answers_kept() - kept_before)
            assert open_rows <= world.workers + world.commit_rows_max, "too many rows are taken and not durable"
            if end == "rejected" and self.answers - answers_before >= stops_at:
                return Unauthorized("no quota")
            fault = self._fault(request.user, asked)
            if request is not PROBE:
                self.answers += fault is None or isinstance(fault, Refused)
            return fault

        self.sink.refusal = refusal
        bench = Bench(
            source=source,
            transforms=[Without("x"), FirstOnly()],
            provider=ScriptedProvider(
                latency_s=lambda request, asked: self.chance.choice((0.0, 0.5, 2.0)), fault=fault
            ),
            sink=self.sink,
            checkpoints=self.checkpoints,
            workers=world.workers,
            retry=RetryPolicy(outage_s_max=1e9),
            drain_s_max=1e9,
            dead_share_max=1.0,
            rows_max=stops_at if end == "rows_max" else None,
            offload=self._offload,
        )
        return bench

    def _fault(self, text: str, asked: int) -> AttemptError | None:
        if self.world.outage_at_s <= anyio.current_time() < self.world.outage_at_s + OUTAGE_S:
            return Unavailable("down")
        if self.chance.random() < 0.1:
            return Throttled("slow down", retry_after_s=self.chance.choice((None, 0.0, 5.0)))
        if asked < self.world.faults_max:
            return self.chance.choice((Unavailable("status 500"), StaleConnection("closed")))
        return Refused("no", reason="refused") if text in self.world.poison else None

    async def _offload(self, function: Callable[[], Any]) -> Any:
        """A kill may come before the work is done, or after it and before anybody knows."""
        await anyio.sleep(self.chance.choice((0.0, 0.0, 0.1, 2.0)))
        result = function()
        await anyio.sleep(self.chance.choice((0.0, 0.0, 0.1, 2.0)))
        return result

    def _check_records(self) -> None:
        ids = [record["id"] for record in self.sink.documents()]
        places = {
            f"shard-{shard}:{row}": text for shard, rows in enumerate(self.world.texts) for row, text in enumerate(rows)
        }
        assert len(ids) == len(set(ids)), "a record was written twice"
        assert all(record["input persona"] == places[record["id"]] for record in self.sink.documents())
        letters = [(letter["id"], letter["text"]) for letter in self.sink.documents("dead")]
        assert all(places[place] == text for place, text in letters)
        settled = sum(ranges.count(state.settled) for state in self.sink.recover())
        counts = sum(state.counts.settled for state in self.sink.recover())
        assert settled == counts == self.world.rows


def _stopping(end: End, at_s: float) -> Callable[[Bench], Any]:
    async def stop(bench: Bench) -> None:
        await anyio.sleep(at_s)
        (bench.stop.drain if end == "drain" else bench.stop.abort)()

    return stop
