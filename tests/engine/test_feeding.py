"""What is read, when, and what of it is handed out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from personastream.engine.feed import expected_rows
from personastream.errors import BadInput
from personastream.ports import Ask
from personastream.records import Position, Row
from personastream.testing import Echo, ListSource, MemoryCheckpoints, MemorySink, ScriptedProvider
from tests.support.virtual import Bench, FirstOnly, Without, ids


def texts(*lengths: int) -> list[list[str]]:
    return [[f"row {row} of {shard}" for row in range(length)] for shard, length in enumerate(lengths)]


@pytest.mark.parametrize("workers", [1, 3, 50])
def test_every_row_is_settled_exactly_once(workers: int) -> None:
    bench = Bench(texts(17, 1, 0, 40), provider=ScriptedProvider(latency_s=0.5), workers=workers)
    summary = bench.sit()
    assert summary.finished
    assert bench.delivered() == ids(bench.texts)
    assert summary.counts.delivered == summary.usage.requests == 58
    assert bench.sink.rows == [17, 1, 0, 40]


@pytest.mark.slow
def test_three_hundred_shards_of_one_row_keep_all_workers_busy() -> None:
    bench = Bench(texts(*[1] * 300), provider=ScriptedProvider(latency_s=1.0), workers=60)
    bench.sit()
    assert bench.delivered() == ids(bench.texts)
    assert bench.provider.in_flight_most == 60


@pytest.mark.parametrize("lengths", [(0,), (0, 0, 0), (0, 3, 0), (3, 0)])
def test_empty_shards_are_sealed_like_the_others(lengths: tuple[int, ...]) -> None:
    bench = Bench(texts(*lengths))
    assert bench.sit().finished
    assert bench.sink.rows == list(lengths)


def test_a_run_without_shards_is_finished_at_once() -> None:
    bench = Bench(source=ListSource([]))
    assert bench.sit().finished
    assert bench.sink.writes == 0


def test_what_a_transform_drops_is_settled_without_being_asked() -> None:
    bench = Bench([["a", "xb", "c", "xd"], ["xe"]], transforms=[Without("x")])
    summary = bench.sit()
    assert bench.delivered() == ["shard-0:0", "shard-0:2"]
    assert (summary.counts.dropped, summary.usage.requests) == ({"unwanted": 3}, 2)
    assert summary.finished


def test_rows_that_cannot_be_read_become_dead_letters() -> None:
    bench = Bench(source=ListSource([["a", "b", "c"]], unreadable={(0, 1)}))
    summary = bench.sit()
    assert bench.dead() == {"shard-0:1": "unreadable"}
    assert summary.counts.dead == {"unreadable": 1}
    assert summary.finished


@dataclass
class Watched:
    """A recipe, and an offload, that look at the whole bench whenever a row is taken or a thread returns."""

    look: Callable[[Bench], None]
    offload_s: float = 0.0
    bench: Bench | None = None
    echo: Echo = field(default_factory=Echo)

    async def __call__(self, row: Row, ask: Ask) -> list[dict[str, object]]:
        assert self.bench is not None
        self.look(self.bench)
        return await self.echo(row, ask)

    async def offload(self, function: Callable[[], Any]) -> Any:
        await anyio.sleep(self.offload_s)
        result = function()
        if self.bench is not None:
            self.look(self.bench)
        return result


def watched(look: Callable[[Bench], None], offload_s: float, **settings: Any) -> Bench:
    watch = Watched(look, offload_s)
    watch.bench = Bench(recipe=watch, offload=watch.offload, **settings)
    return watch.bench


@pytest.mark.parametrize(("workers", "commit_rows_max"), [(1, 1), (5, 1), (3, 8), (20, 4)])
@pytest.mark.slow
def test_rows_taken_and_not_durable_are_never_more_than_workers_and_one_group(
    workers: int, commit_rows_max: int
) -> None:
    seen = []

    def look(bench: Bench) -> None:
        durable = sum(state.counts.delivered + state.counts.dead_total for state in bench.sink.recover())
        seen.append(bench.statistics.handed_out - durable)
        assert seen[-1] <= workers + commit_rows_max

    bench = watched(
        look,
        offload_s=3.0,  # a disk far slower than the model
        texts=texts(80),
        provider=ScriptedProvider(latency_s=0.1),
        sink=MemorySink(commit_rows_max=commit_rows_max),
        workers=workers,
    )
    assert bench.sit().finished
    assert max(seen) >= commit_rows_max  # the bound was tried


@pytest.mark.parametrize("latency_s", [0.0, 5.0])
def test_nothing_is_read_ahead_of_the_workers_but_two_batches(latency_s: float) -> None:
    def look(bench: Bench) -> None:
        assert bench.source.rows_read - bench.statistics.handed_out <= 2 * bench.source.batch_rows

    bench = watched(
        look,
        offload_s=0.5,
        source=ListSource(texts(300), batch_rows=16),
        provider=ScriptedProvider(latency_s=latency_s),
    )
    assert bench.sit().finished


def test_a_source_error_in_mid_shard_keeps_what_was_read_and_is_reported() -> None:
    bench = Bench(source=ListSource(texts(5, 20, 5), fails_at=(1, 14)), provider=ScriptedProvider(latency_s=2.0))
    with pytest.raises(BadInput, match="row 14"):
        bench.sit()
    assert bench.provider.in_flight == 0
    taken = {request.user for request in bench.provider.requests}
    assert {record["input persona"] for record in bench.sink.documents()} == taken
    assert bench.sink.rows == [5, None, None]

    bench.source.fails_at = None
    assert bench.sit().finished
    assert bench.delivered() == ids(bench.source.texts)


def test_finished_shards_are_not_read_again() -> None:
    bench = Bench(texts(6, 6, 6), rows_max=8)
    assert not bench.sit().finished
    assert bench.sink.rows[0] == 6
    bench.rows_max = None
    bench.source.reads.clear()
    assert bench.sit().finished
    assert [shard for shard, _ in bench.source.reads] == [1, 2]
    assert len(bench.provider.requests) == 18


def test_a_resume_begins_at_the_first_unsettled_row() -> None:
    bench = Bench(texts(40), rows_max=30)
    bench.sit()
    bench.rows_max, bench.source.rows_read = None, 0
    bench.sit()
    assert bench.source.rows_read == 10


def test_a_shard_that_is_settled_but_not_sealed_is_sealed_by_the_next_sitting() -> None:
    bench = Bench(texts(8), workers=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.sink, "finish", lambda shard, rows: None)  # killed before the seal
        bench.sit()
    assert bench.sink.rows == [None]

    assert bench.sit().finished
    assert bench.sink.rows == [8]
    assert len(bench.provider.requests) == 8


def test_a_finished_run_asks_reads_and_writes_nothing() -> None:
    bench = Bench(texts(9, 2), transforms=[FirstOnly()])
    bench.sit()
    bench.transforms, bench.source.rows_read, writes = [FirstOnly()], 0, bench.sink.writes
    summary = bench.sit()
    assert summary.finished
    assert summary.counts.delivered == 11
    assert (bench.source.rows_read, bench.sink.writes, len(bench.provider.requests)) == (0, writes, 11)


def test_a_resume_without_checkpoints_replays_the_decisions_of_stateful_transforms() -> None:
    rows = [["a", "b", "a"], ["c", "b", "d"], ["d", "a", "e"]]
    bench = Bench(rows, transforms=[FirstOnly()], rows_max=3)
    bench.sit()
    bench.rows_max, bench.transforms = None, [FirstOnly()]
    summary = bench.sit()
    assert summary.finished
    assert sorted(record["input persona"] for record in bench.sink.documents()) == ["a", "b", "c", "d", "e"]
    assert summary.counts.dropped == {"repeated": 4}


@pytest.mark.parametrize("transforms", [("x", "y"), ("y", "x")])
def test_rows_dropped_by_two_transforms_for_one_reason_are_told_apart_on_resume(transforms: tuple[str, str]) -> None:
    """A batch of the second sitting holds dropped rows of the first, settled, and later ones, not settled."""
    rows = [["keep 0", "keep 1", "x2", "keep 3", "keep 4", "keep 5", "x6", "keep 7", "y8", "keep 9", "y10"]]
    bench = Bench(source=ListSource(rows, batch_rows=8), transforms=[Without(one, "unwanted") for one in transforms])
    bench.rows_max, bench.workers = 1, 1
    bench.sit()
    bench.rows_max = None
    summary = bench.sit()
    assert summary.finished
    assert summary.counts.dropped == {"unwanted": 4}


def test_a_batch_that_is_partly_settled_is_taken_up_where_it_was_left() -> None:
    source = ListSource([[f"{'xy'[row % 2]}{row}" for row in range(8)]], batch_rows=8)
    bench = Bench(source=source, transforms=[Without("y", "unwanted"), FirstOnly()], rows_max=2, workers=1)
    bench.sit()
    cut = bench.sink.chunks[0]
    assert [chunk.outcomes.dropped for chunk in cut] == [{"unwanted": [(1, 2), (3, 4), (5, 6), (7, 8)]}]
    bench.rows_max, bench.transforms = None, [Without("y", "unwanted"), FirstOnly()]
    assert bench.sit().finished


def test_a_checkpoint_spares_the_replay_of_what_lies_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("personastream.engine.feed.CHECKPOINT_ROWS", 8)
    checkpoints = MemoryCheckpoints()
    bench = Bench(texts(20, 20), transforms=[FirstOnly()], checkpoints=checkpoints, rows_max=30)
    bench.sit()
    assert [at for at, _ in checkpoints.saved][:3] == [Position(0, 8), Position(0, 16), Position(1, 4)]
    bench.transforms, bench.rows_max = [FirstOnly()], None
    bench.source.reads.clear()
    assert bench.sit().finished
    assert bench.source.reads == [*LOOKED_AT, (1, 4)]
    assert bench.delivered() == ids(bench.texts)


LOOKED_AT = [(0, 0), (1, 0)]
"""Where reading begins to tell how many rows are to come."""


def test_transforms_are_told_the_same_length_in_every_sitting() -> None:
    told = []
    bench = Bench(texts(30, 0, 10), rows_max=35)
    for _ in range(2):
        transform = FirstOnly()
        bench.transforms = [transform]
        bench.sit()
        told += transform.expected
        bench.rows_max = None
    assert told == [40, 40]


@pytest.mark.parametrize(("lengths", "about"), [((), 0), ((0, 0), 0), ((5000,), 5000), ((10, 3000, 3000), 6000)])
def test_the_length_of_the_input_is_told_from_its_first_rows(lengths: tuple[int, ...], about: int) -> None:
    source = ListSource([["a persona"] * length for length in lengths], batch_rows=700)
    rows = expected_rows(source, source.shards())
    assert abs(rows - about) <= 0.01 * about
    assert source.rows_read <= 2100


def test_a_stateful_transform_is_replayed_through_finished_shards() -> None:
    rows = [["a", "b"], ["c"], ["b", "d"]]
    bench = Bench(rows, transforms=[FirstOnly()], rows_max=3, workers=1)
    bench.sit()
    assert bench.sink.rows[:2] == [2, 1]
    bench.rows_max, bench.transforms = None, [FirstOnly()]
    assert bench.sit().finished
    assert bench.delivered() == ["shard-0:0", "shard-0:1", "shard-1:0", "shard-2:1"]


def test_sealing_does_not_wait_for_other_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    sealed_after_s: dict[int, float] = {}
    bench = Bench(texts(4, 40), provider=ScriptedProvider(latency_s=10.0), workers=4)
    finish = bench.sink.finish

    def timed(shard: int, rows: int) -> None:
        sealed_after_s[shard] = anyio.current_time()
        finish(shard, rows)

    monkeypatch.setattr(bench.sink, "finish", timed)
    bench.sit()
    assert sealed_after_s[1] - sealed_after_s[0] > 80
