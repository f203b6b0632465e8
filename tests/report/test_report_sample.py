"""The sample: all of a small run, an even part of a large one, the same for the same seed."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personastream.core.frame_log import PartName
from personastream.launch.manifest import read_manifest
from personastream.records import DeadRow
from personastream.report.logs import Frame, Log, Logs, read_logs
from personastream.report.sampling import Sample, draw, plan
from personastream.sinks.frames import Frames
from tests.support.ended_run import record, unwatched, write_run


def logs_of(run: Path) -> Logs:
    manifest = read_manifest(run)
    assert manifest is not None
    return read_logs(run, manifest)


def sampled(run: Path, wanted: int, seed: int = 1) -> Sample:
    return draw(logs_of(run), wanted, seed, unwatched)


@given(st.integers(1, 3000), st.integers(1, 500), st.integers(1, 100_000), st.integers())
def test_a_plan_reads_about_as_many_lines_as_wanted(frames: int, per_frame: int, wanted: int, seed: int) -> None:
    log = Log(lines=frames * per_frame, frames=[Frame(PartName("r", "s", "data", 0), at) for at in range(frames)])
    chosen, stride = plan(log, wanted, seed)
    assert len({frame.offset for frame in chosen}) == len(chosen)
    assert chosen == sorted(chosen, key=lambda frame: frame.offset)
    lines = len(chosen) * per_frame / stride
    assert lines <= 2 * wanted or stride == 1 == per_frame
    assert lines >= min(wanted, log.lines) / 2
    assert plan(log, wanted, seed) == (chosen, stride)


def test_all_of_a_small_run_is_in_its_sample(tmp_path: Path) -> None:
    rows = [record(f"text {number}") for number in range(57)]
    run = write_run(tmp_path / "run", {"a": rows[:30], "b": rows[30:]})
    sample = sampled(run, 57)
    assert [item.id for item in sample.items] == [f"a:{n}" for n in range(30)] + [f"b:{n}" for n in range(27)]
    assert sample.usage == pytest.approx((570, 285, 57e9))


def test_lines_of_all_frames_have_the_same_chance(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"a": [record(str(number)) for number in range(100)]}, commit_rows=8)
    logs = logs_of(run)
    found = Counter(item.id for seed in range(100) for item in draw(logs, 20, seed, unwatched).items)
    assert len(found) == 100
    assert min(found.values()) > 4
    assert max(found.values()) < 45
    assert 15 <= sum(found.values()) / 100 <= 25


def test_an_open_part_is_read_as_far_as_it_is_whole(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"a": [record(str(number)) for number in range(40)]}, finished=False)
    (part,) = (run / "data").iterdir()
    content = part.read_bytes()
    part.write_bytes(content + content[:777])
    logs = logs_of(run)
    assert (logs.data.lines, logs.finished) == (40, False)
    assert len(sampled(run, 100).items) == 40


def test_letters_of_rows_that_live_again_are_left_out(tmp_path: Path) -> None:
    ends = [DeadRow(0, "length", "cut", f"text {number}") for number in range(6)]
    run = write_run(tmp_path / "run", {"a": ends})
    sink = Frames(path=str(run))
    manifest = read_manifest(run)
    assert manifest is not None
    sink.attach(manifest.run_id, ["a"])
    sink.recover()
    sink.revive(0, {"length": [(2, 4)]})
    assert [letter.id for letter in sampled(run, 10).letters] == ["a:0", "a:1", "a:4", "a:5"]


def test_what_is_no_record_is_counted_and_passed_over(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"a": [record("fine"), {"number": 7}, record("fine", created="yesterday")]})
    sample = sampled(run, 10)
    assert len(sample.items) == 2
    assert sample.unreadable == 1
    assert sample.items[1].created_s is None
