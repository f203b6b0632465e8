"""`verify` finds all damage, and nothing else."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from random import Random
from types import SimpleNamespace

import pytest
import zstandard

from personastream.core.outcomes import Counts, Outcomes, Usage
from personastream.ports import Chunk
from personastream.sinks.verify import Records, Report, Verifier
from tests.support.effort import tries
from tests.support.simulated_disk import SimulatedDisk
from tests.support.small_run import ROWS, RUN_ID, STEMS, data, dead, sink_on, verified, write_run

FLIPS = 250
FLIPS_SLOW = tries(1_500, 10_000)


def written(finished: int = 2) -> SimulatedDisk:
    disk = SimulatedDisk()
    write_run(disk, finished=finished)
    return disk


def whole(disk: SimulatedDisk) -> dict[str, bytes]:
    return {name: disk.content(name) or b"" for name in disk.files()}


def is_clean(report: Report) -> bool:
    return not report.problems and not report.notes


def test_a_finished_run_is_clean_and_counted() -> None:
    disk = written()
    report = verified(disk)
    assert is_clean(report)
    assert report.counts == Counts(64, {"exact": 8}, {"length": 8})
    assert report.usage == Usage(72, 6400, 7 * 16)
    assert report.lines == 72
    assert report.shards_finished == 2
    assert report.parts == len(whole(disk))
    assert report.bytes == sum(map(len, whole(disk).values()))
    assert report.commits == 24


def test_an_unfinished_run_is_clean_too() -> None:
    report = verified(written(finished=1))
    assert is_clean(report)
    assert report.shards_finished == 1
    assert report.counts.settled == 2 * ROWS


def test_a_run_that_has_not_begun_is_clean() -> None:
    assert verified(SimulatedDisk()) == Report()


def test_looking_changes_nothing() -> None:
    disk = written(finished=1)
    before, operations = whole(disk), disk.operations
    verified(disk)
    assert (whole(disk), disk.operations) == (before, operations)


def flips(disk: SimulatedDisk, count: int, chance: Random) -> Iterator[tuple[str, int]]:
    """Files and bits, so that each file has its share whatever its size; the dense parts more than the padding."""
    files = whole(disk)
    for _ in range(count):
        name = chance.choice(sorted(files))
        at = chance.randrange(len(files[name]))
        while not any(files[name][max(0, at - 16) : at + 16]) and chance.random() < 0.9:
            at = chance.randrange(len(files[name]))
        yield name, 8 * at + chance.randrange(8)


def check_flips(count: int, seed: int) -> None:
    disk, chance = written(finished=1), Random(seed)
    files = whole(disk)
    for name, bit in flips(disk, count, chance):
        content = bytearray(files[name])
        content[bit // 8] ^= 1 << bit % 8
        disk.put(name, bytes(content))
        verifier = Verifier(disk, RUN_ID)
        verifier.shard(next(stem for stem in STEMS if stem in name))
        report = verifier.report
        assert report.problems or (name.endswith(".part") and report.notes), f"bit {bit} of {name}"
        assert all(problem.path in (name, *STEMS) for problem in report.problems)
        disk.put(name, files[name])
    assert is_clean(verified(disk))


@pytest.mark.slow
def test_flipped_bits_are_found_wherever_they_are() -> None:
    check_flips(FLIPS, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_thousands_of_flipped_bits_are_found() -> None:
    check_flips(FLIPS_SLOW, seed=2)


@pytest.mark.slow
def test_every_bit_of_a_seal_is_watched_over() -> None:
    disk = SimulatedDisk()
    sink = sink_on(disk)
    sink.recover()
    sink.commit(data(0, range(3), [3]))
    sink.finish(0, 4)
    (name,) = disk.files()
    content = disk.content(name) or b""
    for bit in range(8 * 4096, 8 * len(content)):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        disk.put(name, bytes(changed))
        assert verified(disk, stems=STEMS[:1]).problems, f"bit {bit}"


@pytest.mark.slow
def test_a_truncated_part_is_found_wherever_it_is_cut() -> None:
    disk, chance = written(finished=1), Random(3)
    files = whole(disk)
    for _ in range(150):
        name = chance.choice(sorted(files))
        size = chance.randrange(len(files[name]))
        disk.put(name, files[name][:size])
        report = verified(disk)
        if name.endswith(".part"):  # as after a crash: what is left is whole commits, and perhaps a torn one
            assert not report.problems
            assert bool(report.notes) == bool(size % 4096)
        else:
            assert report.problems
        disk.put(name, files[name])


def test_bytes_behind_the_end_of_a_sealed_part_are_found() -> None:
    disk = written()
    for name, content in whole(disk).items():
        for tail in (b"\x00", b"x" * 100, content[-50:], content[:4096]):
            disk.put(name, content + tail)
            assert verified(disk).problems
        disk.put(name, content)


def test_every_lost_part_of_a_finished_shard_is_found() -> None:
    disk = written()
    for name, content in whole(disk).items():
        disk.put(name, None)
        report = verified(disk)
        if name.startswith("data/") and name.endswith(
            "-00003.jsonl.zst"
        ):  # the last: it says that the shard is finished
            assert report.shards_finished == 1
        else:
            assert report.problems
        disk.put(name, content)


def test_swapped_parts_are_found() -> None:
    disk = written()
    files = whole(disk)
    for first, second in pairwise(sorted(files)):
        disk.put(first, files[second])
        disk.put(second, files[first])
        assert {problem.path for problem in verified(disk).problems} >= {first, second}
        disk.put(first, files[first])
        disk.put(second, files[second])


def test_output_of_another_run_or_of_an_unknown_shard_is_found() -> None:
    disk = written()
    assert verified(disk, run_id="run-2").problems
    assert [problem.what for problem in verified(disk, stems=STEMS[:1]).problems] == 2 * [
        "belongs to no shard of this run"
    ]


def test_a_row_with_two_ends_is_found() -> None:
    disk = SimulatedDisk()
    sink = sink_on(disk)
    sink.recover()
    sink.commit(data(0, range(3)))
    sink.commit(dead(0, [2]))
    assert [problem.what for problem in verified(disk).problems] == ["row 2 has two outcomes"]


def test_rows_without_an_end_in_a_finished_shard_are_found() -> None:
    disk = SimulatedDisk()
    sink = sink_on(disk)
    sink.recover()
    sink.commit(data(0, [0, 1, 3]))
    sink.finish(0, 4)
    assert [problem.what for problem in verified(disk).problems] == ["4 rows were read, but 3 have an outcome"]


FALSE_LINES = {
    "another row": b'{"id":"personas-0:7"}',
    "another shard": b'{"id":"personas-1:1"}',
    "no id": b'{"text":"x"}',
    "no object": b'["personas-0:1"]',
    "no number": b'{"id":"personas-0:one"}',
    "no JSON": b"{",
    "an id that is no text": b'{"id":7}',
    "nothing": b"",
    "twice the same": b'{"id":"personas-0:0"}',
    "two lines in one": b'{"id":"personas-0:1"}\n{"id":"personas-0:9"}',
}


@pytest.mark.parametrize("false", FALSE_LINES)
def test_a_record_that_is_not_what_its_commit_says_is_found(false: str) -> None:
    disk = SimulatedDisk()
    sink = sink_on(disk)
    sink.recover()
    lines = [b'{"id":"personas-0:0"}', FALSE_LINES[false]]
    sink.commit(Chunk(0, "data", lines, Outcomes([(0, 2)]), Usage()))
    problems = verified(disk).problems
    assert problems
    assert all("commit 0 at byte 0" in problem.what for problem in problems)


def test_a_record_that_is_there_twice_is_found_though_every_row_is_there() -> None:
    disk = SimulatedDisk()
    sink = sink_on(disk)
    sink.recover()
    lines = [b'{"id":"personas-0:0#0"}', b'{"id":"personas-0:0#0"}', b'{"id":"personas-0:1"}']
    sink.commit(Chunk(0, "data", lines, Outcomes([(0, 2)]), Usage()))
    (problem,) = verified(disk).problems
    assert "the record 'personas-0:0#0' does not belong here" in problem.what


def compress(raw: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=1, write_checksum=True).compress(raw)


@pytest.mark.parametrize(
    ("lie", "what"),
    [
        (lambda raw: compress(raw)[:-1] + b"x", "its frame does not decompress"),
        (lambda raw: compress(raw.replace(b"text", b"texts")), "its frame holds other lines than its trailer says"),
        (lambda raw: compress(raw[:-1]), "its frame holds other lines than its trailer says"),
    ],
)
def test_a_frame_that_holds_something_else_is_found_though_its_hash_is_right(
    monkeypatch: pytest.MonkeyPatch, lie: Callable[[bytes], bytes], what: str
) -> None:
    disk = SimulatedDisk()
    sink = sink_on(disk)
    sink.recover()
    monkeypatch.setattr(sink, "_compressor", SimpleNamespace(compress=lie))
    sink.commit(data(0, range(3)))
    assert what in verified(disk).problems[0].what


def test_a_shard_that_is_finished_while_verify_runs_is_no_problem() -> None:
    disk = SimulatedDisk()
    sink = sink_on(disk)
    sink.recover()
    sink.commit(data(0, range(3)))
    verifier = Verifier(disk, RUN_ID)
    sink.commit(data(0, range(3, 6)))
    sink.commit(dead(0, [6]))
    sink.finish(0, 7)
    for stem in STEMS:
        verifier.shard(stem)
    report = verifier.finish()
    assert is_clean(report)
    assert report.counts == Counts(6)


@pytest.mark.parametrize(
    ("records", "lines", "is_right"),
    [
        ("rows", [b"{}", b"not even JSON"], True),
        ("rows", [b"{}"], False),
        ("rows", [b"{}"] * 3, False),
        ("plan", [], True),
        ("plan", [b"{}"], False),
        ("records", [b"{}", b"{}"], False),
    ],
)
def test_a_log_of_rows_or_of_nothing_is_counted(records: Records, lines: list[bytes], is_right: bool) -> None:
    disk = SimulatedDisk()
    sink = sink_on(disk)
    sink.recover()
    sink.commit(Chunk(0, "data", lines, Outcomes(delivered=[(0, 2)]), Usage()))
    verifier = Verifier(disk, RUN_ID, records)
    for stem in STEMS:
        verifier.shard(stem)
    assert is_clean(verifier.finish()) == is_right
