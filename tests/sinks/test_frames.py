"""The sink as the engine sees it: parts that roll, shards that finish, starts that find what is there."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from copy import deepcopy
from pathlib import Path

import pytest

from personastream.core.outcomes import Counts, Outcomes, Usage
from personastream.errors import CorruptOutput, DiskFull, StorageFailed
from personastream.ports import Chunk, ShardState
from personastream.sinks.disk import OsDisk
from personastream.sinks.series import Series, parse_file_name
from tests.support.simulated_disk import Plan, SimulatedDisk, SimulatedFile
from tests.support.small_run import ROWS, RUN_ID, STEMS, commit_rows, data, dead, sink_on, verified, write_run

UNTOUCHED = ShardState([], Counts(), Usage(), None)


def names(disk: SimulatedDisk, directory: str) -> list[str]:
    return [name.removesuffix(".jsonl.zst") for name in disk.names(directory)]


def test_a_new_run_has_empty_shards_and_two_directories() -> None:
    disk = SimulatedDisk()
    assert sink_on(disk).recover() == [UNTOUCHED, UNTOUCHED]
    assert disk.names("") == ["data", "dead"]
    assert list(disk.files()) == []


def test_a_finished_run_is_recognised_from_the_ends_of_its_files() -> None:
    disk = SimulatedDisk()
    write_run(disk)
    expected = ShardState([(0, ROWS)], Counts(32, {"exact": 4}, {"length": 4}), Usage(36, 3200, 56), ROWS)
    assert sink_on(disk).recover() == [expected, expected]
    assert sink_on(disk).recover(repair=False) == [expected, expected]
    assert not [name for name in disk.files() if name.endswith(".part")]


def test_parts_roll_at_their_size_and_settle_together() -> None:
    disk = SimulatedDisk()
    sink = sink_on(disk, part_bytes_max=4096)
    sink.recover()
    for number in range(4):
        sink.commit(data(0, [number]))
    stem = STEMS[0]
    assert names(disk, "data") == [f"{stem}-00000", f"{stem}-00001", f"{stem}-00002", f"{stem}-00003.jsonl.zst.part"]
    state = sink_on(disk).recover()[0]
    assert (state.settled, state.counts, state.rows) == ([(0, 4)], Counts(4), None)


def test_a_log_may_have_more_parts_than_its_numbers_have_digits() -> None:
    assert parse_file_name("a-b-00000.jsonl.zst") == ("a-b", 0, False)
    assert parse_file_name("a-12345-99999.jsonl.zst.part") == ("a-12345", 99999, True)
    assert parse_file_name("a-100000.jsonl.zst") == ("a", 100000, False)
    for foreign in ("a-0000.jsonl.zst", "a.jsonl.zst", "-00000.jsonl.zst", "a-00000.jsonl", "a-00000.jsonl.zst.tmp"):
        assert parse_file_name(foreign) is None


def test_what_is_no_part_is_left_alone() -> None:
    disk = SimulatedDisk()
    write_run(disk)
    disk.put("data/notes.txt", b"mine")
    assert sink_on(disk).recover()[0].rows == ROWS
    assert disk.content("data/notes.txt") == b"mine"


def test_an_empty_shard_is_finished_by_a_part_without_records() -> None:
    disk = SimulatedDisk()
    sink = sink_on(disk)
    sink.recover()
    sink.finish(0, 0)
    assert names(disk, "data") == [f"{STEMS[0]}-00000"]
    assert names(disk, "dead") == []
    assert sink_on(disk).recover() == [ShardState([], Counts(), Usage(), 0), UNTOUCHED]
    assert (disk.content(f"data/{STEMS[0]}-00000.jsonl.zst") or b"").startswith(b"\x28\xb5\x2f\xfd")


def test_finishing_twice_changes_nothing() -> None:
    disk = SimulatedDisk()
    sink = write_run(disk)
    before = {name: disk.content(name) for name in disk.files()}
    sink.finish(0, ROWS)
    assert before == {name: disk.content(name) for name in disk.files()}


def test_finishing_may_be_tried_again_whichever_step_found_no_space() -> None:
    for operation in range(1, 16):
        disk = SimulatedDisk()
        sink = sink_on(disk, part_bytes_max=4096)
        sink.recover()
        commit_rows(sink, 0, range(10))
        disk.plan = Plan(full_from=disk.operations + operation, full_to=disk.operations + operation + 1)
        with pytest.raises(DiskFull) if will_be_full(operation) else nullcontext():
            sink.finish(0, 10)
        sink.finish(0, 10)
        assert not [name for name in disk.files() if name.endswith(".part")]
        assert not verified(disk).problems


def will_be_full(operation: int) -> bool:
    """Of finishing two parts: append, sync, rename and directory sync each; two of these need room."""
    return operation in (1, 3, 5, 7)


def test_a_full_disk_at_the_start_says_so() -> None:
    disk = SimulatedDisk()
    disk.plan = Plan(full_from=1, full_to=1000)
    sink = sink_on(disk)
    with pytest.raises(Exception, match="no space left"):
        sink.recover()
    disk = SimulatedDisk()
    write_run(disk, finished=1)
    seal_without_rename(disk)
    disk.restart(Plan(full_from=1, full_to=1000), power_lost=False)
    with pytest.raises(StorageFailed, match="no space left") as caught:
        sink_on(disk).recover()
    assert "--resume" in caught.value.hint


def seal_without_rename(disk: SimulatedDisk) -> str:
    """Finish the second shard, then take the last rename back, as if the process had been killed before it."""
    sink = sink_on(disk)
    sink.recover()
    sink.finish(1, ROWS)
    name = f"data/{STEMS[1]}-00003.jsonl.zst"
    disk.rename(name, name + ".part")
    return name


def test_a_part_that_is_sealed_but_not_renamed_can_be_looked_at_and_is_renamed_by_the_next_start() -> None:
    disk = SimulatedDisk()
    write_run(disk, finished=1)
    name = seal_without_rename(disk)
    looked = sink_on(disk).recover(repair=False)
    assert name + ".part" in disk.files()
    assert sink_on(disk).recover() == looked
    assert name in disk.files()
    assert looked[1].rows == ROWS


def test_a_shard_rolled_but_not_finished_can_be_looked_at_before_its_rename() -> None:
    disk = SimulatedDisk()
    sink = sink_on(disk, part_bytes_max=4096)
    sink.recover()
    for number in range(2):
        sink.commit(data(0, [number]))
    first, second = (f"data/{STEMS[0]}-{part:05d}.jsonl.zst" for part in range(2))
    disk.put(second + ".part", None)
    disk.rename(first, first + ".part")
    for repair in (False, True):
        assert sink_on(disk).recover(repair=repair)[0].settled == [(0, 1)]
    assert list(disk.files()) == [first]


def test_whichever_read_of_a_start_fails_the_next_start_finds_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    read_at, reads, fails_at = SimulatedFile.read_at, 0, 0

    def read(self: SimulatedFile, offset: int, count: int) -> bytes:
        nonlocal reads
        reads += 1
        if reads == fails_at:
            raise StorageFailed("cannot read: Input/output error")
        return read_at(self, offset, count)

    monkeypatch.setattr(SimulatedFile, "read_at", read)
    written = SimulatedDisk()
    write_run(written, finished=1)
    torn = f"data/{STEMS[1]}-00003.jsonl.zst.part"
    written.put(torn, (written.content(torn) or b"") + b"torn")
    disk = deepcopy(written)
    reads = 0
    expected = sink_on(disk).recover()
    for number in range(1, reads + 1):
        disk, reads, fails_at = deepcopy(written), 0, number
        with pytest.raises(StorageFailed, match="Input/output error"):
            sink_on(disk).recover()
        assert sink_on(disk).recover() == expected


DAMAGE = {
    "a part in the middle is gone": (f"data/{STEMS[0]}-00001.jsonl.zst", None, "unexpected part"),
    "the first part is gone": (f"data/{STEMS[0]}-00000.jsonl.zst", None, "unexpected part"),
    "a dead part of a finished shard is gone": (f"dead/{STEMS[0]}-00001.jsonl.zst", None, "account for 38"),
    "a sealed part is empty": (f"data/{STEMS[0]}-00001.jsonl.zst", b"", "no valid end"),
    "a sealed part is garbage": (f"data/{STEMS[0]}-00001.jsonl.zst", b"x" * 9000, "no valid end"),
    "a part is there twice": (f"data/{STEMS[0]}-00001.jsonl.zst.part", b"", "unexpected part"),
    "a part follows the last one": (f"data/{STEMS[0]}-00004.jsonl.zst.part", b"", "unexpected part"),
    "a part is of no shard": ("data/other-00000.jsonl.zst", b"", "unknown shards: other"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_no_crash_can_do_stops_the_start_and_is_left_as_it_is(damage: str) -> None:
    disk = SimulatedDisk()
    write_run(disk)
    name, content, message = DAMAGE[damage]
    disk.put(name, content)
    before = {name: disk.content(name) for name in disk.files()}
    for repair in (False, True):
        with pytest.raises(CorruptOutput, match=message) as caught:
            sink_on(disk).recover(repair=repair)
        assert caught.value.hint
    assert before == {name: disk.content(name) for name in disk.files()}


def test_parts_are_taken_up_by_number_in_whatever_order_they_are_listed() -> None:
    disk = SimulatedDisk()
    write_run(disk)
    log = Series(disk, RUN_ID, STEMS[0], "data")
    log.recover([(3, False), (1, False), (0, False), (2, False)], repair=True)
    assert (len(log.sealed), log.shard_rows) == (4, ROWS)


def test_a_retry_that_was_killed_before_its_commit_leaves_a_shard_to_be_finished_again() -> None:
    disk = SimulatedDisk()
    write_run(disk)
    disk.put(f"dead/{STEMS[0]}-00002.jsonl.zst.part", b"")
    sink = sink_on(disk)
    state = sink.recover()[0]
    assert (list(state.settled), state.rows, state.revived) == ([(0, ROWS)], None, ())
    sink.finish(0, ROWS)
    assert sink_on(disk).recover()[0].rows == ROWS
    assert not verified(disk).problems


def test_output_of_another_run_is_refused() -> None:
    disk = SimulatedDisk()
    write_run(disk)
    with pytest.raises(CorruptOutput, match="no valid end"):
        sink_on(disk, run_id="run-2").recover()


def test_a_row_with_two_ends_stops_the_start() -> None:
    disk = SimulatedDisk()
    sink = sink_on(disk)
    sink.recover()
    sink.commit(data(0, range(3)))
    sink.commit(dead(0, [2]))
    with pytest.raises(CorruptOutput, match="row 2 of shard personas-0 has two outcomes"):
        sink_on(disk).recover()


def test_rows_that_were_only_dropped_leave_a_commit_without_records() -> None:
    disk = SimulatedDisk()
    sink = sink_on(disk)
    sink.recover()
    sink.commit(Chunk(0, "data", (), Outcomes(dropped={"exact": [(0, 1000)]}), Usage()))
    sink.finish(0, 1000)
    state = sink_on(disk).recover()[0]
    assert (state.rows, state.counts) == (1000, Counts(0, {"exact": 1000}))
    assert not verified(disk).problems


def test_a_run_can_be_looked_at_while_it_is_written(tmp_path: Path) -> None:
    """As `status` and `verify` do, from another process; with real files, in real time."""
    disk, done, settled = OsDisk(str(tmp_path)), threading.Event(), []

    def look() -> None:
        while not done.is_set():
            report = verified(disk)
            assert not report.problems, report.problems
            settled.append(sum(state.counts.settled for state in sink_on(disk).recover(repair=False)))

    sink = sink_on(disk, part_bytes_max=8192)
    sink.recover()
    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        try:
            for start in range(0, 300, 10):
                for shard in range(len(STEMS)):
                    commit_rows(sink, shard, range(start, start + 10))
            for shard in range(len(STEMS)):
                sink.finish(shard, 300)
        finally:
            done.set()
        looking.result()
    assert settled == sorted(settled)
    assert sink_on(disk).recover(repair=False)[0].rows == 300
