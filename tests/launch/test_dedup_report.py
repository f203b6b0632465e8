"""What a dedup job tells of dropped rows follows from the rows alone, in bounded memory."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import orjson
import pytest
from numpy.typing import NDArray

from personastream.core.outcomes import Counts
from personastream.errors import CorruptOutput
from personastream.launch import dedup_pairs, dedup_watch
from personastream.launch.dedup_input import DedupInput
from personastream.launch.dedup_pairs import pairs
from personastream.launch.dedup_plot import write_plot
from personastream.launch.dedup_report import read_report, write_report
from personastream.launch.dedup_watch import Groups, Watched, histogram
from personastream.records import Batch, DeadRow, Position, Shard
from personastream.sinks.checkpoints import CheckpointLog
from personastream.testing import ListSource
from personastream.transforms.dedup import Dedup
from tests.support.virtual import FirstOnly, Without

SHARD = Shard(0, "s", "s.jsonl", 1, "f")
TEXTS = [f"persona {Random(row).randrange(400)}" for row in range(1000)]


def batches(texts: list[str], batch_rows: int) -> list[Batch]:
    starts = range(0, len(texts), batch_rows)
    return [
        Batch(
            SHARD, start, min(len(texts), start + batch_rows), range(start, min(len(texts), start + batch_rows)), part
        )
        for start in starts
        for part in [texts[start : start + batch_rows]]
    ]


def watched(batch_rows: int, restarts: bool = False) -> Watched:
    """What has seen all texts, in one life or with one for every batch."""
    each, journal = new(), list[bytes]()
    for batch in batches(TEXTS, batch_rows):
        each(batch)
        if restarts:
            journal.append(each.learnt())
            each = new()
            for records in journal:
                each.learn(records)
    return each


def new() -> Watched:
    each = Watched(Dedup())
    each.expect(1000)
    return each


def test_groups_and_samples_do_not_depend_on_batches_or_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dedup_watch, "GROUPS_MAX", 100)
    whole, pieces, restarted = watched(1000), watched(7), watched(100, restarts=True)
    assert whole.samples == pieces.samples == restarted.samples
    assert len(whole.samples) == dedup_watch.SAMPLES
    assert whole.groups == pieces.groups == restarted.groups
    assert whole.groups is not None
    assert whole.groups.share == 0.25


def test_a_sample_is_a_row_that_was_dropped() -> None:
    first = {text: row for row, text in reversed(list(enumerate(TEXTS)))}
    for sample in watched(64).samples:
        assert TEXTS[sample.number] == sample.text
        assert first[sample.text] < sample.number


def test_groups_are_counted_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dedup_watch, "GROUPS_MAX", 64)
    keys = np.array([Random(row).randrange(300) * (2**64 // 300) for row in range(3000)], np.uint64)
    groups = Groups()
    for start in range(0, 3000, 100):
        groups.add(keys[start : start + 100])
    truth = Counter(keys.tolist())
    assert groups.sizes == {key: size for key, size in truth.items() if key < groups.limit}
    assert 32 < len(groups.sizes) <= 64


def test_rows_known_beforehand_teach_and_are_not_told() -> None:
    each = Watched(Dedup(), first_shard=1)
    each.expect(1000)
    (batch,) = batches(["a", "a", "b"], 3)
    assert list(each(batch).numbers) == [0, 2]
    assert (each.samples, each.groups) == ([], Groups())
    later = Batch(Shard(1, "t", "t", 1, "f"), 0, 2, range(2), ["b", "c"])
    assert list(each(later).numbers) == [1]
    assert [(sample.shard, sample.text) for sample in each.samples] == [(1, "b")]


def test_how_many_known_rows_could_be_read_outlives_a_restart() -> None:
    each, again = (Watched(Dedup(), first_shard=1) for _ in range(2))
    for one in (each, again):
        one.expect(1000)
    (batch,) = batches(["a", "b"], 2)
    dead = [DeadRow(2, "invalid_json", "", "")]
    for _ in range(2):
        each(replace(batch, stop=3, dead=dead))
        again.learn(each.learnt())
    assert each.known == again.known == {0: Counts(4, {}, {"invalid_json": 2})}


def test_records_of_an_earlier_version_are_refused() -> None:
    with pytest.raises(ValueError, match="earlier version"):
        Watched(Without("x")).learn(bytes(16) + b"[]")


def test_sizes_are_told_from_power_to_power() -> None:
    assert histogram([2, 2, 3, 4, 5, 7, 8, 15, 16, 1000]) == {
        "2": 2, "3": 1, "4": 1, "5-7": 2, "8-15": 2, "16-31": 1, "512-1023": 1,
    }  # fmt: skip


def job(folder: Path, texts: list[list[str]], rows_per_frame: int) -> tuple[list[Watched], CheckpointLog, DedupInput]:
    """A filter and an exact transform that have read everything, and their log."""
    given = DedupInput([ListSource(texts, batch_rows=rows_per_frame)])
    each, log = [Watched(Without("x")), Watched(FirstOnly())], CheckpointLog(str(folder), b"run")
    for one in each:
        one.expect(100)
    log.load(Position(99, 0), each)
    for shard in given.shards():
        for batch in given.read(shard, 0):
            for one in each:
                batch = one(batch)
            log.save(Position(shard.index, batch.stop), each)
    return each, log, given


def all_delivered(shard: int, rows: int) -> NDArray[np.bool_]:
    return np.ones(rows, np.bool_)


@pytest.mark.parametrize("rows_per_frame", [1, 2, 5, 100])
def test_the_partner_of_a_dropped_row_is_found_wherever_it_is(tmp_path: Path, rows_per_frame: int) -> None:
    texts = [["a", "b", "x", "c", "b"], [], ["d", "xx", "a", "d"]]
    each, log, given = job(tmp_path, texts, rows_per_frame)
    by_filter, by_first = pairs(each, log, given, all_delivered)
    assert {(pair.dropped.text, pair.copy_of) for pair in by_filter} == {("x", None), ("xx", None)}
    places = {(one.dropped.shard, one.dropped.number): one.copy_of and one.copy_of[:2] for one in by_first}
    assert places == {(0, 4): (0, 1), (2, 2): (0, 0), (2, 3): (2, 0)}


def test_rows_that_were_delivered_are_preferred_as_partners(tmp_path: Path) -> None:
    each, log, given = job(tmp_path, [["a", "a", "b", "a", "b"]], rows_per_frame=5)
    first_a_is_gone = np.array([False, True, False, False, False])
    _, found = pairs(each, log, given, lambda _, rows: first_a_is_gone[:rows])
    places = {one.dropped.number: one.copy_of and one.copy_of.number for one in found}
    assert places == {1: 0, 3: 1, 4: 2}, "another one only where no delivered one will do"


def test_copies_of_a_later_row_do_not_hide_those_whose_partner_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dedup_pairs, "FRAMES_SEARCHED_MAX", 1)
    early, crowd = [f"early {number}" for number in range(100)], ["crowd"] * 200
    each, log, given = job(tmp_path, [early, [*crowd, *early]], rows_per_frame=100)
    found = [pair for pair in pairs(each, log, given, all_delivered)[1] if pair.copy_of is not None]
    assert len(found) == dedup_pairs.PAIRS


def test_the_search_for_partners_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dedup_pairs, "FRAMES_SEARCHED_MAX", 1)
    each, log, given = job(tmp_path, [["a", "b", "c", "a", "b", "c"]], rows_per_frame=2)
    found = {pair.dropped.text: pair.copy_of is not None for pair in pairs(each, log, given, all_delivered)[1]}
    assert found == {"a": True, "b": True, "c": False}


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    each, log, given = job(tmp_path, [["a", "b", "a" * 5000, "a", "a" * 5000]], rows_per_frame=2)
    write_report(tmp_path, Counts(3, {"repeated": 2}), each, pairs(each, log, given, all_delivered), given)
    report = read_report(tmp_path)
    assert report["rows"] == {"kept": 3, "dropped": {"repeated": 2}, "dead": {}}
    assert {pair["dropped"]["id"]: pair["copy_of"]["id"] for pair in report["transforms"][1]["pairs"]} == {
        "shard-0:3": "shard-0:0",
        "shard-0:4": "shard-0:2",
    }
    assert max(len(pair["dropped"]["text"]) for pair in report["transforms"][1]["pairs"]) == 2000
    (tmp_path / "report.json").write_bytes(b"{")
    with pytest.raises(CorruptOutput, match=r"report\.json"):
        read_report(tmp_path)


@pytest.mark.slow
def test_a_plot_is_drawn(tmp_path: Path) -> None:
    report = orjson.loads(orjson.dumps({"transforms": [{"groups": {"sizes": {"2": 900, "3": 40, "5-7": 1}}}, {}]}))
    assert write_plot(tmp_path, report) == tmp_path / "report.svg"
    assert b"<svg" in (tmp_path / "report.svg").read_bytes()


def test_without_groups_there_is_no_plot(tmp_path: Path) -> None:
    assert write_plot(tmp_path, {"transforms": [{}]}) is None
