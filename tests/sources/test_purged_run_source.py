"""A run that was purged, as input of another one: every record that is left has the place that it had."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from personastream.launch.manifest import read_manifest, write_manifest
from personastream.launch.purge_job import carry_out_plan, look, purging
from personastream.launch.purge_terms import Terms
from personastream.records import Batch
from personastream.sources.finished_run import finished_run
from personastream.sources.run import Run
from tests.support.ended_run import Row, record, write_run

ROWS = 120


def written(tmp_path: Path, *, plain: bool) -> Path:
    """A run with several records a row and drops between; a plain one has a line a row, with ids of other runs."""
    chance = Random(5)
    rows: list[Row] = []
    for row in range(ROWS):
        several = 1 if plain else chance.choice((1, 1, 3))
        made = [record(f"text {row} {place}") for place in range(several)]
        rows.append("dedup" if chance.random() < 0.2 else made if several > 1 else made[0])
    run = write_run(tmp_path / "run", {"a": rows}, commit_rows=7)
    if plain:
        manifest = read_manifest(run)
        assert manifest is not None
        write_manifest(run, replace(manifest, identity={**manifest.identity, "output": "rows"}))
    return run


def purge(run: Path, *ids: str) -> None:
    with purging(run) as root:
        carry_out_plan(look(root, Terms(frozenset(ids))))


def read(run: Path, state: Path, start: int = 0) -> tuple[dict[int, str], list[int], int]:
    """(the text of each row, the rows that were purged, how many rows there are)."""
    source = Run([str(run)], field="synthesized text", index_dir=str(state), batch_rows=16)
    (shard,) = source.shards()
    batches: list[Batch] = list(source.read(shard, start))
    texts = {number: text for batch in batches for number, text in zip(batch.numbers, batch.texts, strict=True)}
    return texts, [row for batch in batches for row in batch.dropped.get("purged", ())], batches[-1].stop


@pytest.mark.parametrize("plain", [False, True])
def test_all_that_is_left_keeps_its_number(tmp_path: Path, plain: bool) -> None:
    run, state, chance = written(tmp_path, plain=plain), tmp_path / "state", Random(7)
    before, none, total = read(run, state)
    assert (len(before), none) == (total, [])
    seals, lines = finished_run(str(run)).seals(0), finished_run(str(run)).lines_total()
    gone: set[int] = set()
    for _ in range(2):
        numbers = chance.sample(sorted(before.keys() - gone), 12)
        rows = {before[number].split()[1] for number in numbers}
        gone |= {number for number, text in before.items() if text.split()[1] in rows}
        purge(run, *(f"a:{row}" for row in rows))
        texts, purged, there = read(run, state)
        assert texts == {number: text for number, text in before.items() if number not in gone}
        assert (purged, there) == (sorted(gone), total)
        for start in (0, 1, min(gone), max(gone), total - 1, total):
            some, purged, _ = read(run, tmp_path / "elsewhere", start)
            assert some == {number: text for number, text in texts.items() if number >= start}
            assert purged == [number for number in sorted(gone) if number >= start]
    assert finished_run(str(run)).seals(0) == seals
    assert finished_run(str(run)).lines_total() == lines


def test_a_run_of_which_nothing_is_left_still_has_its_rows(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"a": [record(f"text {row}") for row in range(5)]})
    purge(run, *(f"a:{row}" for row in range(5)))
    assert read(run, tmp_path / "state") == ({}, [0, 1, 2, 3, 4], 5)


def test_single_records_of_a_row_leave_gaps(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"a": [[record("a"), record("b"), record("c")], record("d")]})
    purge(run, "a:0#1")
    assert read(run, tmp_path / "state") == ({0: "a", 2: "c", 3: "d"}, [1], 4)
