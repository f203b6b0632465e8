"""The guard's counts: the same whether it saw all commits, or reads them again in any part."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from personastream.errors import ExtractionSuspected
from personastream.guard import Guard
from personastream.launch.extraction_guard import NAME, ExtractionGuard, guarding, read_guard
from personastream.records import Shard
from tests.support.ended_run import record, write_run

POEM = " ".join(f"verse {number} of the song that is not ours to give away" for number in range(8))
STEMS = ("b", "a")
SHARDS = [Shard(index, stem, f"/in/{stem}.jsonl", 1, stem) for index, stem in enumerate(STEMS)]


def text(stem: str, number: int) -> str:
    """No two alike, but every tenth is the song."""
    if number % 10 == 7:
        return f"Here it is: {POEM}"
    return " ".join(f"{stem}{number}w{place}" for place in range(12))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "poem.txt").write_text(POEM.replace(" ", "\n").upper())
    rows = {stem: [record(text(stem, number), model=f"m{number % 2}") for number in range(60)] for stem in STEMS}
    return write_run(tmp_path / "run", rows, commit_rows=7)


def guard(run: Path, **settings: Any) -> ExtractionGuard:
    protected = [str(run.parent / "poem.txt")]
    return ExtractionGuard(Guard(protected=protected, **settings), run, STEMS)


def told(guard: ExtractionGuard) -> dict[str, Any]:
    return {reading.setting + reading.what: reading.value for reading in guard.readings()}


def test_all_of_the_output_is_counted(run: Path) -> None:
    counted = guard(run, records_per_model_max=1000, output_tokens_per_model_max=1000)
    counted.begin()
    assert [reading.value for reading in counted.readings()] == [12, 0.0917, 60, 60, 300, 300]
    assert counted.readings()[0].examples == ["b:7", "b:17", "b:27", "b:37", "b:47"]
    assert [reading.value for reading in read_guard(run)] == [reading.value for reading in counted.readings()]


@pytest.mark.parametrize("known", [0, 1, 30, 59, 60, 77, 119])
def test_what_is_saved_and_what_lies_behind_make_the_same(run: Path, known: int) -> None:
    whole = guard(run, records_per_model_max=1000)
    whole.begin()
    (run / "state" / NAME).unlink()
    part = guard(run, records_per_model_max=1000)
    lines = [
        (stem, record(text(stem, number), model=f"m{number % 2}") | {"id": f"{stem}:{number}"})
        for stem in STEMS
        for number in range(60)
    ]
    part._tally, part._lines = guard_nothing()
    for stem, one in lines[:known]:
        part.take(stem, [orjson.dumps(one)])
    part.save()
    resumed = guard(run, records_per_model_max=1000)
    resumed.begin()
    assert resumed._tally.as_dict() == whole._tally.as_dict()


def guard_nothing() -> Any:
    from personastream.core.extraction import NearCopies, Tally

    return Tally(NearCopies(10_000)), {}


@pytest.mark.parametrize("settings", [{}, {"overlap_words": 20}, {"window_replies": 100}])
def test_counts_made_by_other_settings_are_not_taken(run: Path, settings: dict[str, Any]) -> None:
    guard(run).begin()
    (run.parent / "poem.txt").write_text("Another text altogether, which nobody has repeated so far in any reply.")
    other = guard(run, **settings)
    other.begin()
    assert other.readings()[0].value == 0
    assert len(other._tally.near.last) == min(120, other.settings.window_replies)


@pytest.mark.parametrize(
    "spoilt",
    [
        b"",
        b"{}",
        b"[1]",
        b'{"basis":"BASIS","lines":{"a":9999,"b":1},"records":{},"output_tokens":{},"overlaps":0,"overlapping":[],"copies":[],"last":[]}',
    ],
)
def test_a_file_that_cannot_be_is_counted_anew(run: Path, spoilt: bytes) -> None:
    whole = guard(run)
    whole.begin()
    (run / "state" / NAME).write_bytes(spoilt.replace(b"BASIS", whole._basis.encode()))
    again = guard(run)
    again.begin()
    assert told(again) == told(whole)


def test_a_cap_that_is_passed_already_stops_the_run_before_it_begins(run: Path) -> None:
    settings = Guard(protected=[str(run.parent / "poem.txt")], overlaps_max=11)
    with pytest.raises(
        ExtractionSuspected, match=r"repeat protected texts: 12, and 11 are allowed, such as b:7"
    ) as raised:
        guarding(settings, run, SHARDS)
    assert raised.value.exit_code == 75
    assert guarding(None, run, SHARDS) is None
    assert guarding(Guard(), run, SHARDS) is not None


def test_records_of_somebody_elses_recipe_are_no_fault(run: Path) -> None:
    seen = guard(run, output_tokens_per_model_max=5)
    seen.begin()
    odd: list[dict[str, Any]] = [{}, {"meta": 3}, {"meta": {"usage": 7}}, {"meta": {"usage": {"output_tokens": "x"}}}]
    seen.take("a", [orjson.dumps({"id": "a:99", **one}) for one in odd])
    assert seen._tally.records[""] == 4
