"""What is committed, in what form, and when."""

from collections.abc import Sequence
from dataclasses import replace

import anyio
import pytest

from personastream.engine import settle as settling
from personastream.engine.work import encode
from personastream.errors import DiskFull, DiskStillFull, Refused, RowError
from personastream.ports import Ask, ShardState
from personastream.records import Batch, Request, Row, Shard
from personastream.testing import Echo, ListSource, MemorySink, ScriptedProvider
from tests.support.virtual import Bench, Without, duration_s, on_virtual_clock


def test_a_single_record_is_called_after_its_row() -> None:
    assert encode("people:7", [{"a": 1}]) == [b'{"id":"people:7","a":1}']


def test_several_records_of_a_row_are_numbered() -> None:
    assert encode("people:7", [{"a": 1}, {"a": 2}]) == [b'{"id":"people:7#0","a":1}', b'{"id":"people:7#1","a":2}']


@pytest.mark.parametrize("value", ["\ud800", 1 << 70, {1: 2}, object()])
def test_what_json_cannot_hold_is_the_rows_own_fault(value: object) -> None:
    with pytest.raises(RowError) as caught:
        encode("people:7", [{"a": value}])
    assert caught.value.reason == "unwritable_record"


@pytest.mark.parametrize("records", [[], [{"id": "mine"}], [{"id": 1}, {"id": 2}]])
def test_a_recipe_that_breaks_its_promise_is_a_bug(records: list[dict[str, object]]) -> None:
    with pytest.raises(ValueError, match="a recipe must give"):
        encode("people:7", records)


def test_a_record_is_one_line_whatever_is_in_it() -> None:
    (line,) = encode("people:7", [{"a": "line\nfeed\r\x00\u2028\x85"}])
    assert len(line.splitlines()) == 1


class Broken:
    """Gives up on every row, for a reason that no JSON can hold."""

    async def __call__(self, row: Row, ask: Ask) -> list[dict[str, object]]:
        await anyio.lowlevel.checkpoint()
        raise RowError("half a pair: \ud83d", reason="half\udc00", response=b"\xff\xfe")


def test_a_dead_letter_is_written_whatever_is_in_it() -> None:
    bench = Bench([["half a pair: \ud83d", "sound"]], recipe=Broken())
    bench.source = Surrogates([["half a pair: \ud83d", "sound"]])
    assert bench.sit().finished
    letters = sorted(bench.sink.documents("dead"), key=lambda letter: letter["id"])
    assert [(letter["text"], letter["detail"], letter["reason"]) for letter in letters] == [
        ("half a pair: ?", "half a pair: ?", "half?"),
        ("sound", "half a pair: ?", "half?"),
    ]


class Surrogates(ListSource):
    """A source of somebody else's that lets lone surrogates pass."""

    def shards(self) -> Sequence[Shard]:
        return ListSource([["x"] * len(texts) for texts in self.texts]).shards()


def test_commits_are_made_at_half_a_group_of_rows() -> None:
    bench = Bench(
        [[f"row {row}" for row in range(60)]],
        provider=ScriptedProvider(latency_s=1.0),
        sink=MemorySink(commit_rows_max=20, commit_interval_s=3600.0),
        workers=2,
    )
    bench.sit()
    assert [len(chunk.lines) for chunk in bench.sink.chunks[0]] == [10] * 6


def test_commits_are_made_at_a_size_in_bytes() -> None:
    bench = Bench(
        [[f"row {row:02}" * 20 for row in range(40)]],
        provider=ScriptedProvider(latency_s=1.0),
        sink=MemorySink(commit_rows_max=1000, commit_bytes_max=1000, commit_interval_s=3600.0),
        workers=1,
    )
    bench.sit()
    sizes = [sum(map(len, chunk.lines)) for chunk in bench.sink.chunks[0]]
    assert len(sizes) > 3
    assert all(1000 <= size < 1600 for size in sizes[:-1])


def test_commits_are_made_after_a_while_however_few_rows_there_are() -> None:
    bench = Bench(
        [[f"row {row}" for row in range(6)]],
        provider=ScriptedProvider(latency_s=10.0),
        sink=MemorySink(commit_rows_max=1000, commit_interval_s=1.0),
        workers=1,
    )
    bench.sit()
    assert [len(chunk.lines) for chunk in bench.sink.chunks[0]] == [1] * 6


def test_a_shard_that_settles_while_others_are_slow_is_committed_apart() -> None:
    bench = Bench([["a", "b"], ["c"]], workers=3, sink=MemorySink(commit_rows_max=100))
    bench.sit()
    assert [[chunk.shard for chunk in chunks] for chunks in bench.sink.chunks] == [[0], [1]]


def test_usage_is_committed_once() -> None:
    bench = Bench([["a b c"] * 9, ["d"] * 3], provider=ScriptedProvider(latency_s=1.0), workers=3)
    summary = bench.sit()
    assert (summary.usage.requests, summary.usage.input_tokens, summary.usage.output_tokens) == (12, 30, 30)


@pytest.mark.slow
def test_drops_alone_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "DROPS_MAX", 100)
    held: list[int] = []

    class Counting(Without):
        def __call__(self, batch: Batch) -> Batch:
            held.append(bench.source.rows_read - sum(state.counts.dropped_total for state in bench.sink.recover()))
            return super().__call__(batch)

    source = ListSource([["x"] * 5000, ["x"] * 700], batch_rows=10)
    bench = Bench(source=source, transforms=[Counting("x")], sink=MemorySink(commit_interval_s=3600.0))
    assert on_virtual_clock(duration_s, bench) < 60.0  # no commit had to wait for its hour
    assert max(held) <= 2 * 100 + 2 * 10
    assert 50 < sum(map(len, bench.sink.chunks)) < 70


def test_while_nothing_can_be_committed_drops_are_not_read_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "DROPS_MAX", 100)

    async def look_then_abort(bench: Bench) -> None:
        await anyio.sleep(10_000.0)
        assert bench.source.rows_read <= 2 * 100 + 2 * 10
        bench.stop.abort()

    bench = Bench(
        source=ListSource([["x"] * 5000], batch_rows=10),
        transforms=[Without("x")],
        sink=MemorySink(refusal=lambda write: DiskFull("no space left")),
        during=look_then_abort,
    )
    with pytest.raises(DiskStillFull):
        bench.sit()


def test_while_nothing_can_be_committed_large_answers_do_not_fill_the_memory() -> None:
    async def look_then_abort(bench: Bench) -> None:
        await anyio.sleep(10_000.0)
        assert 8 <= bench.statistics.handed_out <= 2 * 8 + bench.workers
        bench.stop.abort()

    bench = Bench(
        [["x" * 1000 + str(row) for row in range(500)]],
        sink=MemorySink(commit_rows_max=400, commit_bytes_max=2000, refusal=lambda write: DiskFull("no space left")),
        during=look_then_abort,
    )
    with pytest.raises(DiskStillFull):
        bench.sit()


def test_unreadable_rows_alone_do_not_fill_the_memory() -> None:
    unreadable = {(0, row) for row in range(400)}
    source = ListSource([["?"] * 400], batch_rows=10, unreadable=unreadable)
    bench = Bench(source=source, sink=MemorySink(commit_rows_max=20, commit_interval_s=3600.0), dead_share_max=1.0)
    assert bench.sit().finished
    assert max(len(chunk.lines) for chunk in bench.sink.chunks[0]) <= 40


class Faulty:
    """A recipe with a bug."""

    async def __call__(self, row: Row, ask: Ask) -> list[dict[str, object]]:
        if row.number == 9:
            raise ZeroDivisionError
        return await Echo()(row, ask)


def test_a_bug_in_a_recipe_ends_the_run_with_its_own_error_and_spoils_nothing() -> None:
    bench = Bench([[f"row {row}" for row in range(20)]], recipe=Faulty(), sink=MemorySink(commit_rows_max=2))
    with pytest.raises(ExceptionGroup) as caught:
        bench.sit()
    assert caught.group_contains(ZeroDivisionError)
    bench.recipe = Echo()
    assert bench.sit().finished
    assert len(bench.delivered()) == 20


class Many:
    """Delivers as many records as its row number says."""

    async def __call__(self, row: Row, ask: Ask) -> list[dict[str, object]]:
        await anyio.lowlevel.checkpoint()
        return [{"k": k} for k in range(row.number + 1)]


def test_rows_with_several_records_settle_as_one() -> None:
    bench = Bench([["a", "b", "c"]], recipe=Many())
    assert bench.sit().counts.delivered == 3
    assert bench.delivered() == [
        "shard-0:0", "shard-0:1#0", "shard-0:1#1", "shard-0:2#0", "shard-0:2#1", "shard-0:2#2",
    ]  # fmt: skip


def test_outcomes_and_ledger_agree_or_the_run_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench([["a", "b", "c"]])
    bench.sit()
    recover = bench.sink.recover

    def forgets_one() -> list[ShardState]:
        return [replace(state, settled=[(0, 2)]) for state in recover()]

    monkeypatch.setattr(bench.sink, "recover", forgets_one)
    with pytest.raises(AssertionError, match="3 outcomes for 2 settled rows"):
        bench.sit()


def test_the_engine_runs_on_asyncio_as_well() -> None:
    bench = Bench([[f"row {row}" for row in range(20)], []], offload=anyio.to_thread.run_sync)
    assert anyio.run(bench.sit_async).finished
    assert len(bench.delivered()) == 20


def test_a_virtual_run_takes_no_time() -> None:
    async def hours() -> float:
        started_s = anyio.current_time()
        sink = MemorySink(commit_interval_s=3600.0)
        await Bench([["a"] * 10], provider=ScriptedProvider(latency_s=3600.0), sink=sink, workers=1).sit_async()
        return anyio.current_time() - started_s

    assert on_virtual_clock(hours) == pytest.approx(36_000.0)


def test_rows_asked_again_do_not_lengthen_the_input() -> None:
    def fault(request: Request, asked: int) -> Refused | None:
        return Refused("no", reason="refused") if request.user == "row 3" else None

    bench = Bench([[f"row {row}" for row in range(10)]], provider=ScriptedProvider(fault=fault))
    bench.sit()
    bench.sink.revive(0, {"refused": [(3, 4)]})
    bench.provider = ScriptedProvider()
    assert bench.sit().counts.delivered == 10
    assert bench.statistics.rows_estimated == 10


def test_each_commit_is_timed() -> None:
    bench = Bench([[f"row {row}" for row in range(30)]], provider=ScriptedProvider(latency_s=1.0))
    bench.sit()
    seen = bench.statistics
    assert sum(seen.commit_s.counts) == seen.commits
    assert seen.last_commit_s is not None
    assert (seen.rows_read, seen.oldest_s(10.0)) == (30, 0.0)
    assert seen.output_bytes == sum(len(line) + 1 for line in lines(bench))


def lines(bench: Bench) -> list[bytes]:
    return [line for chunks in bench.sink.chunks for chunk in chunks for line in chunk.lines]
