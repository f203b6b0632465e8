"""One part: what is on the disk after each step, good or bad."""

import tracemalloc
from collections.abc import Iterator

import pytest
import zstandard

from personastream.core import frame_log, ranges
from personastream.core.frame_log import BLOCK_BYTES, Commit, PartName, ReadAt
from personastream.core.outcomes import Counts, Outcomes, Usage
from personastream.errors import CorruptOutput, DiskFull, StorageFailed
from personastream.sinks.part import Part
from tests.support.simulated_disk import Plan, SimulatedDisk
from tests.support.small_run import verified

NAME = PartName("run-1", "personas", "data", 0)
SEALED = "data/personas-00000.jsonl.zst"
OPEN = SEALED + ".part"
COMPRESSOR = zstandard.ZstdCompressor(level=1, write_checksum=True)


def started() -> SimulatedDisk:
    disk = SimulatedDisk()
    disk.make_directory("data")
    disk.sync_directory("")
    return disk


def new_part(disk: SimulatedDisk, commits: int = 0) -> Part:
    part = Part(disk, "data", NAME)
    part.create()
    for number in range(commits):
        commit(part, number)
    return part


def commit(part: Part, number: int) -> None:
    part.commit([b'{"id":"personas:%d"}' % number], Outcomes([(number, number + 1)]), Usage(1), COMPRESSOR)


def taken_up(disk: SimulatedDisk, *, repair: bool = True) -> Part:
    part = Part(disk, "data", NAME)
    assert part.recover(repair=repair) is None
    return part


def test_a_commit_is_durable_when_it_returns() -> None:
    disk = started()
    new_part(disk, commits=2)
    for power_lost in (False, True):
        disk.restart(power_lost=power_lost)
        part = taken_up(disk)
        assert part.rows.settled == [(0, 2)]
        assert (part.bytes, part.counts, part.usage) == (2 * BLOCK_BYTES, Counts(2), Usage(2))


def test_a_part_taken_up_goes_on_where_it_was() -> None:
    disk = started()
    new_part(disk, commits=2)
    commit(taken_up(disk), 2)
    part = taken_up(disk)
    assert part.rows.settled == [(0, 3)]
    summary = part.seal(3)
    assert (summary.commits, summary.lines, summary.shard_rows) == (3, 3, 3)


def test_a_torn_tail_is_cut_off_but_not_by_someone_who_only_looks() -> None:
    disk = started()
    new_part(disk, commits=2)
    whole = disk.content(OPEN) or b""
    for torn in (whole[:-1], whole[:-100], whole[: BLOCK_BYTES + 1], whole[:BLOCK_BYTES] + bytes(BLOCK_BYTES)):
        disk.put(OPEN, torn)
        assert taken_up(disk, repair=False).rows.settled == [(0, 1)]
        assert disk.content(OPEN) == torn
        assert taken_up(disk).rows.settled == [(0, 1)]
        assert disk.content(OPEN) == whole[:BLOCK_BYTES]


@pytest.mark.parametrize("byte", [0, 5, 60, 200, BLOCK_BYTES - 1])
def test_damage_before_a_valid_commit_stops_everything_and_changes_nothing(byte: int) -> None:
    disk = started()
    new_part(disk, commits=3)
    damaged = bytearray(disk.content(OPEN) or b"")
    damaged[BLOCK_BYTES + byte] ^= 0x10
    disk.put(OPEN, bytes(damaged))
    for repair in (False, True):
        with pytest.raises(CorruptOutput, match=f"end at byte {BLOCK_BYTES}, but a valid one stands at byte") as caught:
            Part(disk, "data", NAME).recover(repair=repair)
        assert caught.value.hint
    assert disk.content(OPEN) == bytes(damaged)


def test_a_commit_that_does_not_follow_the_last_one_is_no_torn_tail() -> None:
    disk = started()
    new_part(disk, commits=2)
    content = disk.content(OPEN) or b""
    disk.put(OPEN, content + content[BLOCK_BYTES:])
    with pytest.raises(CorruptOutput, match=f"but a valid one stands at byte {2 * BLOCK_BYTES}"):
        Part(disk, "data", NAME).recover(repair=True)


def test_a_full_disk_leaves_the_last_commit_at_the_end() -> None:
    disk = started()
    part = new_part(disk, commits=1)
    before = disk.content(OPEN)
    disk.plan = Plan(full_from=disk.operations + 1, full_to=disk.operations + 2)
    with pytest.raises(DiskFull):
        commit(part, 1)
    assert disk.content(OPEN) == before
    assert part.rows.settled == [(0, 1)]
    commit(part, 1)
    assert taken_up(disk).rows.settled == [(0, 2)]


@pytest.mark.parametrize("operation", [1, 3], ids=["append", "rename"])
def test_a_full_disk_may_interrupt_sealing(operation: int) -> None:
    disk = started()
    part = new_part(disk, commits=2)
    before = disk.content(OPEN)
    disk.plan = Plan(full_from=disk.operations + operation, full_to=disk.operations + operation + 1)
    with pytest.raises(DiskFull):
        part.seal(2)
    assert disk.content(OPEN) == before
    part.seal(2)
    assert list(disk.files()) == [SEALED]


def test_a_failed_sync_is_final_and_its_commit_counts_for_nothing() -> None:
    disk = started()
    part = new_part(disk, commits=1)
    disk.plan = Plan(fails_at=disk.operations + 2)
    with pytest.raises(StorageFailed):
        commit(part, 1)
    assert part.rows.settled == [(0, 1)]


def test_a_file_that_something_else_has_written_to_is_not_appended_to() -> None:
    disk = started()
    part = new_part(disk, commits=1)
    content = disk.content(OPEN) or b""
    disk.put(OPEN, content + b"x")
    for step in (lambda: commit(part, 1), lambda: part.seal(None)):
        with pytest.raises(CorruptOutput, match=f"has {len(content) + 1} bytes, not {len(content)}"):
            step()
    assert disk.content(OPEN) == content + b"x"


def test_sealing_between_its_steps_is_finished_by_the_next_start() -> None:
    disk = started()
    part = new_part(disk, commits=2)
    disk.plan = Plan(fails_at=disk.operations + 3)
    disk.chance.seed(1)
    with pytest.raises(StorageFailed):
        part.seal(2)
    if OPEN not in disk.files():
        disk.rename(SEALED, OPEN)
    looked = Part(disk, "data", NAME).recover(repair=False)
    assert list(disk.files()) == [OPEN]
    assert Part(disk, "data", NAME).recover(repair=True) == looked
    assert looked is not None
    assert looked.shard_rows == 2
    assert list(disk.files()) == [SEALED]


def test_a_seal_whose_list_of_rows_is_torn_is_no_seal() -> None:
    disk = started()
    part = new_part(disk, commits=2)
    end = part.bytes
    part.seal(2)
    content = bytearray(disk.content(SEALED) or b"")
    content[end + 30] ^= 1  # in the first of the three frames
    assert frame_log.read_seal(lambda at, count: bytes(content[at : at + count]), len(content), NAME) is not None
    disk.put(SEALED, None)
    disk.put(OPEN, bytes(content))
    assert taken_up(disk).bytes == end
    assert len(disk.content(OPEN) or b"") == end


def test_a_commit_that_another_process_finishes_meanwhile_is_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    disk, read_commits = started(), frame_log.commits
    new_part(disk, commits=3)
    whole = disk.content(OPEN) or b""
    written = BLOCK_BYTES + 100

    def read_then_wait(read_at: ReadAt, name: PartName) -> Iterator[Commit]:
        yield from read_commits(read_at, name)
        disk.open(OPEN).append(whole[written:])

    monkeypatch.setattr(frame_log, "commits", read_then_wait)
    disk.put(OPEN, whole[:written])
    assert taken_up(disk, repair=False).rows.settled == [(0, 1)]
    disk.put(OPEN, whole[:written])
    assert not verified(disk, stems=["personas"]).problems


def test_rows_that_settle_out_of_order_do_not_fill_the_memory() -> None:
    """A part of half a million rows is open for long, and each commit of a few hundred rows has as many ranges."""
    part, step = new_part(started()), 512
    tracemalloc.start()
    for start in range(0, 64 * step, step):
        odd_before, even = range(max(0, start - step) + 1, start, 2), range(start, start + step, 2)
        part.commit([b"{}"], Outcomes(ranges.from_numbers([*odd_before, *even])), Usage(), COMPRESSOR)
    kept = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, ranges.__file__)])
    tracemalloc.stop()
    assert sum(trace.size for trace in kept.traces) < 400_000
    assert part.rows.settled[0] == (0, 63 * step + 1)
    assert ranges.count(part.rows.settled) == 63 * step + step // 2
