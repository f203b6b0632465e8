"""`personastream decontaminate` as people call it, and what `export --without` leaves out then."""

from pathlib import Path

import orjson
import pytest

from tests.support.command import personastream
from tests.support.ended_run import record, write_run

QUESTION = "Omar waters 14 rows of beans every evening, each with 25 plants. How many plants does he water in a week?"
OTHER = "Omar waters 15 rows of beans each evening, all with 26 plants. How many plants get water from him in June?"
SHORT = "Evaluate $17 \\cdot 23$."
ESC = "\x1b[31m"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two guilty records of six, and a test set."""
    folder = tmp_path_factory.mktemp("decontaminate")
    told = [f"Math problem: {ESC} {QUESTION.upper()}", OTHER, "Math problem: evaluate 17 * 23", "none", "none"]
    rows = [record(text) for text in told]
    rows.append({**record("none"), "messages": [{"role": "user", "content": "x"}], "input persona": QUESTION})
    write_run(folder / "run", {"shard": rows}, commit_rows=2)
    lines = [{"question": QUESTION}, {"question": SHORT}, {"question": "Where is the town of Nowhere, and who asks?"}]
    (folder / "test.jsonl").write_bytes(b"\n".join(map(orjson.dumps, lines)))
    return folder


def test_a_run_is_told_apart_and_exported_without_what_was_found(place: Path) -> None:
    out = place / "hits.jsonl"
    done = personastream("decontaminate", place / "run", "--against", place / "test.jsonl", "--out", out)
    assert (done.code, done.err) == (0, "")
    assert "6  of " in done.out
    assert "2  of test sets (33.3333%), by 13-grams" in done.out
    assert "2  records: 2 of 3 texts found" in done.out
    assert "shared  omar waters 14 rows" in done.out
    assert ESC not in done.out
    hits = [orjson.loads(line) for line in out.read_bytes().splitlines()]
    assert [(hit["id"], hit["row"], hit["share"]) for hit in hits] == [("shard:0", 0, 1.0), ("shard:2", 1, 1.0)]
    clean = place / "clean.jsonl"
    arguments = ("--format", "jsonl", "--out", clean, "--without", out)
    exported = personastream("export", place / "run", *arguments)
    assert exported.code == 0
    assert "2 left out by --without" in exported.out
    ids = [orjson.loads(line)["id"] for line in clean.read_bytes().splitlines()]
    assert ids == ["shard:1", "shard:3", "shard:4", "shard:5"]
    again = personastream("decontaminate", place / "run", "--against", place / "test.jsonl", "--out", out)
    assert again.code == 73
    assert "Nothing is replaced" in again.err


def test_the_report_as_json_and_a_bound_on_the_share(place: Path) -> None:
    arguments = ("decontaminate", place / "run", "--against", place / "test.jsonl", "--rule", "coverage", "--json")
    done = personastream(*arguments, "--share-max", "0.3")
    assert done.code == 65
    told = orjson.loads(done.out)
    assert (told["records"], told["contaminated"], told["ngram"], told["share_min"]) == (6, 2, 8, 0.5)
    assert told["sets"] == [{"path": str(place / "test.jsonl"), "items": 3, "items_found": 2, "records": 2}]
    assert told["examples"][0]["item"] == QUESTION
    assert personastream(*arguments, "--share-max", "0.4").code == 0


def test_files_are_looked_at_too(place: Path) -> None:
    rows = [{"persona": OTHER}, {"persona": f"Who asks: {QUESTION}"}]
    (place / "rows.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)) + b"\n")
    done = personastream("decontaminate", place / "rows.jsonl", "--against", place / "test.jsonl", "--json")
    assert done.code == 0
    assert [hit["id"] for hit in orjson.loads(done.out)["examples"]] == ["rows:1"]
    wrong = personastream("decontaminate", place / "rows.jsonl", "--against", place / "test.jsonl", "--text", "body")
    assert wrong.code == 65
    assert "no row of" in wrong.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("run",), 64, "Missing option '--against'"),
        (("run", "--against", "none.jsonl"), 65, "cannot read none.jsonl"),
        (("run", "--against", "test.jsonl", "--field", "qestion"), 65, "here is 'question'"),
        (("none", "--against", "test.jsonl"), 65, "there is no run and no file none"),
        (("rows.dat", "--against", "test.jsonl"), 78, "cannot tell the format"),
        (("none.jsonl", "--against", "test.jsonl"), 65, "none.jsonl"),
        ((".", "--against", "test.jsonl"), 65, "holds no run"),
        (("run", "--against", "test.jsonl", "--out", "no/where"), 73, "cannot write no/where"),
    ],
)
def test_mistakes_are_told(place: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    (place / "rows.dat").write_bytes(b"{}\n")
    done = personastream("decontaminate", *arguments, folder=place)
    assert done.code == code
    assert said in done.err
    assert "Traceback" not in done.err


def test_a_list_of_ids_must_be_one(place: Path) -> None:
    (place / "bad.jsonl").write_text("17\n")
    for name, said in (("bad.jsonl", "no list of ids"), ("gone.jsonl", "cannot read")):
        arguments = ("--format", "jsonl", "--out", "out.jsonl", "--without", name)
        done = personastream("export", "run", *arguments, folder=place)
        assert done.code == 65
        assert said in done.err
