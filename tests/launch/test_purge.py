"""A purge of one run: what is found, what is left, what may not come back, and what happens to everything beside."""

import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from personastream.core import ranges
from personastream.core.outcomes import Outcomes, Usage
from personastream.core.where import compile_where
from personastream.errors import BadInput, CorruptOutput, RunBusy, StorageFailed
from personastream.launch.audit import read_events
from personastream.launch.audit import record as record_event
from personastream.launch.purge_apply import folders_of, purged_from
from personastream.launch.purge_job import Plan, _prepared, carry_out_plan, exports, files_left, look, purging
from personastream.launch.purge_journal import NAME, read_journal
from personastream.launch.purge_protocol import decide
from personastream.launch.purge_terms import Terms, phrases_of
from personastream.launch.purged_rows import WithoutPurged
from personastream.launch.review_files import MarksFile, Said, read_marks, review_lock
from personastream.launch.run_directory import owned
from personastream.ports import Chunk
from personastream.records import Batch, DeadRow, Shard
from personastream.sinks.disk import OsDisk
from personastream.sinks.frames import Frames
from personastream.sinks.verify import Verifier
from tests.support.ended_run import RUN_ID, Row, record, write_run
from tests.support.outputs import fingerprint, read_records

WHOM = "Ottoline Zwiebelfisch"
TEXT = f"{WHOM}, who lights lamps"
ROWS: Sequence[Row] = [
    record("One lamp", "A baker"),
    record("Two lamps", TEXT),
    [record("Three", "A nun"), record("A riddle about OTTOLINE\u3000 zwiebelﬁsch", "A nun"), record("Five", "A nun")],
    "dedup",
    DeadRow(0, "contract", "no opening", TEXT, orjson.dumps({"said": 'a "lamp"'}).decode()),
    DeadRow(0, "length", "too long", "A sailor", orjson.dumps({"said": f"so {WHOM[:8]}\n{WHOM[9:]} came"}).decode()),
    record("Six", "A smith", origin={"url": "https://e.org/1"}),
]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", {"a": ROWS})


def purge(run: Path, *ids: str, where: str = "", texts: Sequence[str] = ()) -> Plan:
    with purging(run) as root:
        plan = look(root, Terms(frozenset(ids), compile_where(where) if where else None, phrases_of(texts)))
        if not plan.is_empty:
            carry_out_plan(plan)
    return plan


def ids(run: Path, kind: str = "data") -> list[str]:
    return [each["id"] for each in read_records(run / kind)]


def sink_of(run: Path, stem: str = "a") -> Frames:
    sink = Frames(path=str(run))
    sink.attach(RUN_ID, [stem])
    return sink


def problems(run: Path) -> list[Any]:
    verifier = Verifier(OsDisk(str(run)), RUN_ID, purged=purged_from(run)[0])
    verifier.shard("a")
    report = verifier.finish()
    return [*report.problems, *report.notes]


def holds(folder: Path, text: str) -> list[str]:
    """Files that hold a text, unpacked."""
    logs = [str(each) for kind in ("data", "dead") for each in read_records(folder / kind, open_parts=True)]
    others = [path.read_bytes().decode("utf-8", "replace") for path in folder.rglob("*") if path.is_file()]
    return [each for each in (*logs, *others) if text in each]


def test_a_phrase_goes_with_all_that_says_it(run: Path) -> None:
    plan = purge(run, texts=["ottoline zwiebelfisch"])
    assert (plan.found[0].records, plan.found[0].letters) == (2, 2)
    assert ids(run) == ["a:0", "a:2#0", "a:2#2", "a:6"]
    assert ids(run, "dead") == []
    assert holds(run, WHOM) == []
    assert problems(run) == []
    (state,) = sink_of(run).recover()
    assert state.finished
    assert (state.counts.delivered, state.counts.dropped["purged"], state.counts.dead_total) == (3, 3, 0)
    assert state.counts.settled == len(ROWS)


def test_what_was_spent_stays_spent(run: Path) -> None:
    before = sink_of(run).recover()[0].usage
    purge(run, texts=[WHOM])
    assert sink_of(run).recover()[0].usage == before


@pytest.mark.parametrize(
    ("named", "left"),
    [
        ("a:1", ["a:0", "a:2#0", "a:2#1", "a:2#2", "a:6"]),
        ("a:2", ["a:0", "a:1", "a:6"]),
        ("a:2#1", ["a:0", "a:1", "a:2#0", "a:2#2", "a:6"]),
    ],
)
def test_a_record_or_a_row_is_named_by_its_id(run: Path, named: str, left: list[str]) -> None:
    purge(run, named)
    assert ids(run) == left
    assert problems(run) == []


def test_a_row_that_loses_its_last_record_is_dropped(run: Path) -> None:
    purge(run, "a:2#0", "a:2#1")
    assert sink_of(run).recover()[0].counts.delivered == 4
    purge(run, "a:2#2")
    counts = sink_of(run).recover()[0].counts
    assert (counts.delivered, counts.dropped["purged"]) == (3, 1)
    assert problems(run) == []


def test_a_source_goes_by_a_condition(run: Path) -> None:
    purge(run, where='meta.origin.url contains "e.org"')
    assert ids(run) == ["a:0", "a:1", "a:2#0", "a:2#1", "a:2#2"]


def test_nothing_found_changes_nothing(run: Path) -> None:
    with owned(run):
        pass
    before = fingerprint(run)
    assert purge(run, "a:3", "b:9", "nonsense", texts=["nobody"]).is_empty
    assert {**fingerprint(run), "state/lock": b""} == {**before, "state/lock": b""}


def test_tombstones_hold_nothing_of_what_they_hide(run: Path) -> None:
    purge(run, texts=[WHOM])
    journal = (run / NAME).read_bytes()
    assert b"Ottoline" not in journal
    assert b"ottoline" not in journal
    assert b"Ottoline" not in (run / "audit.jsonl").read_bytes()
    assert [event["event"] for event in read_events(run)] == ["purged"]


def test_exports_that_the_audit_log_knows_are_named(run: Path) -> None:
    record_event(run, "exported", out="/elsewhere/x", format="jsonl", rows=7)
    assert exports(purge(run, "a:1")) == ["/elsewhere/x"]


def test_dead_rows_that_live_again_do_not_wait_for_ever(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"a": ROWS})
    sink = sink_of(run)
    sink.recover()
    sink.revive(0, {"contract": [(4, 5)], "length": [(5, 6)]})
    purge(run, "a:4")
    (state,) = sink_of(run).recover()
    assert state.revived == ((5, 6),)
    assert [letter.row.number for letter in sink_of_letters(run)] == [5]
    assert state.counts.dropped["purged"] == 1
    assert problems(run) == []


def sink_of_letters(run: Path) -> Iterator[Any]:
    sink = sink_of(run)
    sink.recover()
    return sink.letters(0)


class Rows:
    """A source of one shard."""

    def __init__(self, texts: Sequence[str], dead: Sequence[DeadRow] = ()) -> None:
        self._texts, self._dead = texts, dead

    def shards(self) -> Sequence[Shard]:
        return [Shard(0, "a", "/in/a.jsonl", 1, "a")]

    def read(self, shard: Shard, start: int) -> Iterator[Batch]:
        yield Batch(shard, 0, len(self._texts) + len(self._dead), range(len(self._texts)), self._texts, dead=self._dead)


def test_what_is_read_again_is_dropped_and_so_is_the_same_text_under_another_id(run: Path) -> None:
    purge(run, "a:1", "a:5")
    texts = ["A baker", "whatever stands here", "A nun", TEXT.upper(), "A tailor"]
    (batch,) = WithoutPurged(Rows(texts, [DeadRow(5, "invalid_json", "", "{"), DeadRow(6, "x", "", "")]), run).read(
        Rows([]).shards()[0], 0
    )
    assert batch.texts == ["A baker", "A nun", "A tailor"]
    assert batch.dropped == {"purged": [1, 3, 5]}
    assert [row.number for row in batch.dead] == [6]


def test_files_that_are_made_again_are_removed_and_others_told(run: Path) -> None:
    for name in ("report.html", "report.figures.json", "state/transforms.log", "state/live.json"):
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_text(TEXT)
    (run / "notes.txt").write_text(f"Ask {WHOM}!")
    (run / "other.txt").write_text("Ask somebody")
    plan = purge(run, texts=[WHOM])
    assert [path.name for path in files_left(plan).others] == ["notes.txt"]
    assert not (run / "report.html").exists()
    assert not (run / "state" / "transforms.log").exists()
    assert (run / "other.txt").exists()


def test_demonstrations_and_reviews_lose_what_tells_of_it(run: Path) -> None:
    (run / "demonstrations.json").write_bytes(orjson.dumps({"k1": TEXT, "k2": "A miller"}))
    with review_lock(run, alone=False):
        marks = MarksFile(run, "anna")
        marks.add("a:0", Said("valid"))
        marks.add("a:1", Said("unsafe"))
        marks.add("a:6", Said("invalid", f"much like {WHOM}"))
        with pytest.raises(RunBusy):
            purge(run, texts=[WHOM])
        marks.close()
    purge(run, texts=[WHOM])
    assert orjson.loads((run / "demonstrations.json").read_bytes()) == {"k2": "A miller"}
    assert read_marks(run, "anna") == {"a:0": Said("valid")}
    assert holds(run, WHOM) == []


def test_a_note_that_tells_of_somebody_purged_before_goes_by_a_second_purge(run: Path) -> None:
    purge(run, texts=[WHOM])
    with review_lock(run, alone=False):
        marks = MarksFile(run, "anna")
        marks.add("a:0", Said("valid", f"{WHOM} was here"))
        marks.close()
    purge(run, texts=[WHOM])
    assert read_marks(run, "anna") == {}
    assert purge(run, texts=[WHOM]).is_empty


@pytest.mark.parametrize("named", ["a:7", "a:99999999999999999999999", "a:-1", "a:1#", "a:1#x", "a:", ":1", "a:1 "])
def test_ids_of_nothing_find_nothing(run: Path, named: str) -> None:
    assert purge(run, named).is_empty


@pytest.mark.parametrize(
    "phrase", ["math", "a:1", "2026-01", "stop", "noassert", "CC-BY-4.0", "email", "contract", "gpt", "assistant"]
)
def test_what_we_say_of_a_record_is_not_looked_through(tmp_path: Path, phrase: str) -> None:
    meta: dict[str, Any] = {
        "licence": "NOASSERTION",
        "screens": {"personal_data": ["email"]},
        "origin": {"meta.licence": "CC-BY-4.0"},
    }
    response = {"id": "x", "model": "gpt", "choices": [{"message": {"role": "assistant", "content": "Three"}}]}
    letter = DeadRow(0, "contract", "", "A smith", orjson.dumps(response).decode(), licence="NOASSERTION")
    run = write_run(tmp_path / "run", {"a": [record("One", **meta), record("Two", model="gpt"), letter]})
    assert purge(run, texts=[phrase]).is_empty
    assert (len(ids(run)), len(ids(run, "dead"))) == (2, 1)


def test_batches_that_hold_it_are_forgotten_and_named(run: Path) -> None:
    for name, text in (("chunk-1", TEXT), ("chunk-2", "A miller")):
        folder = run / "batches" / name
        folder.mkdir(parents=True)
        (folder / "chunk.json").write_text("{}")
        (folder / "batch.json").write_bytes(orjson.dumps({"batch": f"batch of {name}"}))
        (folder / "requests.jsonl").write_bytes(orjson.dumps({"body": {"messages": [{"content": f"For {text}."}]}}))
    answered = run / "batches" / "chunk-3"
    answered.mkdir()
    (answered / "answers.jsonl").write_text("{}")
    plan = purge(run, "a:1")
    assert [path.name for path in (run / "batches").iterdir()] == ["chunk-2"]
    assert plan.batches == ["batch of chunk-1"]


def test_a_file_that_cannot_be_removed_is_told_and_the_purge_goes_on_later(run: Path) -> None:
    (run / "report.html").mkdir()
    (run / "report.html" / "x").write_text("x")
    purge(run, "a:1")
    assert not (run / "report.html").exists()
    loop = run / "demonstrations.json"
    loop.mkdir()
    with pytest.raises(StorageFailed, match=r"demonstrations\.json"):
        purge(run, "a:0")
    assert "a:0" in ids(run)
    loop.rmdir()
    purge(run, "a:0")
    assert "a:0" not in ids(run)
    assert problems(run) == []


def test_a_run_that_somebody_works_on_is_left_alone(run: Path) -> None:
    with owned(run), pytest.raises(RunBusy):
        purge(run, "a:1")


def test_there_must_be_a_run(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no run"):
        purge(tmp_path, "a:1")


def interrupted(run: Path) -> None:
    """A purge that ends right after it was decided on."""
    with purging(run) as root:
        plan = look(root, Terms(frozenset(["a:1"])))
        plan.journal.add("", "a", plan.found[0].doomed("a"))
        decide(OsDisk(str(root)), plan.journal, folders_of(root), partial(_prepared, plan))


def test_whoever_comes_next_carries_out_what_was_decided(run: Path) -> None:
    interrupted(run)
    assert "a:1" in ids(run)
    assert purged_from(run)[1]
    with owned(run):
        assert "a:1" not in ids(run)
    assert problems(run) == []
    journal = read_journal(OsDisk(str(run)))
    assert journal is not None
    assert journal.pending is None
    assert [event["event"] for event in read_events(run)][-1] == "purged"


def test_what_was_not_decided_is_swept_away(run: Path) -> None:
    interrupted(run)
    (run / NAME).unlink()
    with owned(run):
        assert "a:1" in ids(run)
    assert problems(run) == []


def test_a_damaged_journal_stops_everybody(run: Path) -> None:
    purge(run, "a:1")
    (run / NAME).write_bytes((run / NAME).read_bytes()[:-9])
    with pytest.raises(CorruptOutput, match="journal"), owned(run):
        pass


def test_an_old_copy_of_a_part_is_told_by_verify(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run / "data", tmp_path / "kept")
    purge(run, "a:1")
    shutil.copytree(tmp_path / "kept", run / "data", dirs_exist_ok=True)
    assert any("was purged, and is there" in problem.what for problem in problems(run))


def test_letters_of_rows_that_were_delivered_later_go_too(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"a": ROWS})
    sink = sink_of(run)
    sink.recover()
    sink.revive(0, {"contract": [(4, 5)]})
    line = orjson.dumps({"id": "a:4", **record("At last", TEXT)})
    sink.commit(Chunk(0, "data", [line], Outcomes(ranges.from_numbers([4])), Usage(1)))
    sink.finish(0, len(ROWS))
    assert problems(run) == []
    purge(run, "a:4")
    assert ids(run, "dead") == ["a:5"]
    assert "a:4" not in ids(run)
    (state,) = sink_of(run).recover()
    assert state.finished
    assert state.counts.dead == {"contract": 0, "length": 1}
    assert problems(run) == []
