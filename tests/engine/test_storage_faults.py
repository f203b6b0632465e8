"""A sink that refuses: full disks are waited for, failed ones end the run, and nothing is lost or written twice."""

from collections.abc import Callable

import anyio
import pytest

from personastream.errors import BadInput, DiskFull, DiskStillFull, StorageFailed
from personastream.testing import ListSource, MemorySink, ScriptedProvider
from tests.support.virtual import Bench, after, ids, on_virtual_clock

TEXTS = [[f"row {row}" for row in range(40)], ["one more"]]


def full(first: int, last: float) -> Callable[[int], DiskFull | None]:
    """No space for the writes from `first` to before `last`."""
    return lambda write: DiskFull("no space left") if first <= write < last else None


@pytest.mark.parametrize(("first", "last"), [(0, 1), (0, 7), (2, 30)])
def test_a_full_disk_pauses_the_run_which_goes_on_without_loss(first: int, last: int) -> None:
    bench = Bench(TEXTS, sink=MemorySink(refusal=full(first, last)))
    assert bench.sit().finished
    assert bench.delivered() == ids(TEXTS)
    assert len(bench.provider.requests) == 41
    assert bench.statistics.paused == ""


def test_a_full_disk_at_a_seal_is_waited_for_too() -> None:
    bench = Bench([["a"]], sink=MemorySink(refusal=full(1, 4)))
    assert bench.sit().finished
    assert bench.sink.rows == [1]


def test_while_the_disk_is_full_only_so_many_rows_are_held() -> None:
    async def look_then_abort(bench: Bench) -> None:
        await anyio.sleep(10_000.0)
        assert bench.statistics.paused == "no space left"
        assert 6 <= bench.statistics.handed_out <= 6 + bench.workers
        bench.stop.abort()

    bench = Bench(TEXTS, sink=MemorySink(commit_rows_max=6, refusal=full(0, 1e9)), during=look_then_abort)
    with pytest.raises(DiskStillFull, match="no space left"):
        bench.sit()


def test_a_full_disk_ends_the_run_on_an_abort_and_the_next_sitting_finishes_it() -> None:
    bench = Bench(TEXTS, sink=MemorySink(refusal=full(2, 1e9)), during=after(99.0, lambda bench: bench.stop.abort()))
    with pytest.raises(DiskStillFull, match="no space left"):
        bench.sit()
    committed = bench.delivered()
    bench.sink.refusal, bench.during = lambda write: None, None
    assert bench.sit().finished
    assert bench.delivered() == ids(TEXTS)
    assert committed


@pytest.mark.parametrize("rows", [3, 40])  # fewer rows than a group, or more
def test_a_drain_while_the_disk_is_full_ends_at_its_deadline(rows: int) -> None:
    async def sit() -> float:
        bench = Bench(
            [TEXTS[0][:rows]],
            sink=MemorySink(refusal=full(0, 1e9)),
            drain_s_max=30.0,
            during=after(100.0, lambda bench: bench.stop.drain()),
        )
        started_s = anyio.current_time()
        with anyio.fail_after(10_000.0), pytest.raises(DiskStillFull, match="no space left"):
            await bench.sit_async()
        return anyio.current_time() - started_s

    assert on_virtual_clock(sit) == pytest.approx(130.0)


def test_a_drain_while_the_disk_is_full_commits_when_room_comes_back_in_time() -> None:
    bench = Bench(
        TEXTS,
        provider=ScriptedProvider(latency_s=1.0),
        sink=MemorySink(refusal=full(0, 5)),  # five refusals: 1 + 2 + 4 + 8 + 16 s
        during=after(10.0, lambda bench: bench.stop.drain()),
    )
    assert not bench.sit().finished
    assert len(bench.delivered()) == len(bench.provider.requests)


@pytest.mark.parametrize("write", [0, 1, 5])
def test_a_failed_write_ends_the_run_and_is_not_tried_again(write: int) -> None:
    bench = Bench(
        TEXTS,
        provider=ScriptedProvider(latency_s=1.0),
        sink=MemorySink(refusal=lambda number: StorageFailed("cannot sync") if number == write else None),
    )
    with pytest.raises(StorageFailed, match="cannot sync"):
        bench.sit()
    assert bench.sink.writes == write + 1
    assert bench.provider.in_flight == 0

    assert bench.sit().finished
    assert bench.delivered() == ids(TEXTS)


def test_a_failed_write_while_a_source_error_drains_does_not_hide_the_first_error() -> None:
    bench = Bench(
        source=ListSource(TEXTS, fails_at=(0, 20)),
        provider=ScriptedProvider(latency_s=1.0),
        sink=MemorySink(
            commit_rows_max=100, commit_interval_s=3600.0, refusal=lambda write: StorageFailed("cannot sync")
        ),
    )
    with pytest.raises(BadInput, match="row 20"):
        bench.sit()


def test_records_of_a_commit_that_was_refused_for_want_of_space_are_written_once() -> None:
    bench = Bench(TEXTS, sink=MemorySink(refusal=lambda write: DiskFull("no space left") if write % 2 == 0 else None))
    assert bench.sit().finished
    assert bench.delivered() == ids(TEXTS)
