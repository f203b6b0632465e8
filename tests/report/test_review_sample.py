"""The sample that people judge: each group has its share, the same seed draws the same, and a purge moves nothing."""

from pathlib import Path

import pytest

from personastream.errors import BadInput, ConfigError
from personastream.launch.purge_job import carry_out_plan, look, purging
from personastream.launch.purge_terms import Terms
from personastream.launch.review_files import MarksFile, Said, read_marks, read_sample, review_lock, write_sample
from personastream.report.review_sample import draw_sample, read_documents
from tests.support.ended_run import record, unwatched, write_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    rows = [record(f"Text {row}", model="large" if row % 10 else "small", created="") for row in range(200)]
    return write_run(tmp_path / "run", {"a": rows[:150], "b": rows[150:]})


def test_each_group_has_its_share(run: Path) -> None:
    sample = draw_sample(run, 20, "model", 0, unwatched)
    assert len({each.id for each in sample.drawn}) == 20
    assert sample.populations == {"large": 180, "small": 20}
    assert sum(each.stratum == "small" for each in sample.drawn) == 2


def test_the_seed_tells_which(run: Path) -> None:
    first, again, other = (draw_sample(run, 20, "stage", seed, unwatched) for seed in (1, 1, 2))
    assert first == again
    assert {each.id for each in first.drawn} != {each.id for each in other.drawn}


def test_a_small_run_is_drawn_whole(run: Path) -> None:
    assert len(draw_sample(run, 5000, "meta.template", 0, unwatched).drawn) == 200


def test_records_are_found_again_even_after_a_purge(run: Path) -> None:
    sample = draw_sample(run, 30, "model", 0, unwatched)
    with review_lock(run, alone=True):
        write_sample(run, sample)
    documents = read_documents(run, sample)
    assert [each and each["id"] for each in documents] == [each.id for each in sample.drawn]
    gone = {each.id for each in sample.drawn[:3]}
    with purging(run) as root:
        carry_out_plan(look(root, Terms(frozenset(gone))))
    after = [each and each["id"] for each in read_documents(run, sample)]
    assert after == [None] * 3 + [each.id for each in sample.drawn[3:]]
    kept = read_sample(run)
    assert kept is not None
    assert kept.drawn == sample.drawn[3:]
    assert kept.populations == sample.populations


def test_more_groups_than_records_are_refused(run: Path) -> None:
    with pytest.raises(ConfigError, match="200 strata, but only 20 records"):
        draw_sample(run, 20, "synthesized text", 0, unwatched)


def test_a_column_that_no_record_has_is_refused(run: Path) -> None:
    with pytest.raises(ConfigError, match="no record of the sample has it"):
        draw_sample(run, 20, "meta.nosuch", 0, unwatched)
    assert len(draw_sample(run, 20, "reason", 0, unwatched).drawn) == 20


def test_a_run_without_records_has_nothing_to_judge(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no records yet"):
        draw_sample(write_run(tmp_path / "run", {"a": ["dedup"]}), 20, "stage", 0, unwatched)


def test_of_several_marks_the_last_one_counts_and_a_torn_one_never(run: Path) -> None:
    with review_lock(run, alone=False):
        marks = MarksFile(run, "anna")
        marks.add("a:1", Said("valid"))
        marks.add("a:1", Said("unsafe", "why \u2028 not"))
        marks.add("a:2", Said("valid"))
        marks.add("a:2", Said(None))
        marks.close()
        path = run / "review" / "anna.jsonl"
        whole = path.read_bytes()
        for cut in range(1, 30):
            path.write_bytes(whole + whole[:cut])
            again = MarksFile(run, "anna")
            assert again.said == {"a:1": Said("unsafe", "why \u2028 not"), "a:2": Said(None)}
            again.close()
            assert path.read_bytes() == whole
    assert read_marks(run, "nobody") == {}
    for name in ("../x", ".hidden", "", "a b", "x" * 65):
        with pytest.raises(ConfigError, match="is no name"):
            MarksFile(run, name)
