"""`personastream export` as people call it."""

from pathlib import Path

import orjson
import pytest

from tests.support.command import personastream
from tests.support.exportable import run_of
from tests.support.outputs import read_records

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the runs of two stages."""
    folder = tmp_path_factory.mktemp("hub") / "hub"
    run_of(folder / "solved", "solved")
    run_of(folder / "personas", "persona")
    document = {"format": 1, "config": "hub.toml", "stages": [{"name": "personas"}, {"name": "solved"}]}
    (folder / "stages.json").write_bytes(orjson.dumps(document))
    return folder


def test_a_stage_is_exported_and_the_figures_are_told(stages: Path, tmp_path: Path) -> None:
    out = tmp_path / "train.jsonl"
    done = personastream("export", stages / "solved", "--format", "openai_chat", "--out", out, "--where", "agreed")
    assert (done.code, done.err) == (0, "")
    count = len([record for record in read_records(stages / "solved" / "data") if record["agreed"]])
    assert f"{count}  of openai_chat in 1 file," in done.out
    assert f"{103 - count} left out by --where" in done.out
    assert len(out.read_bytes().splitlines()) == count
    again = personastream("export", stages / "solved", "--format", "openai_chat", "--out", out)
    assert again.code == 73
    assert "--force" in again.err


def test_a_directory_of_stages_names_them(stages: Path, tmp_path: Path) -> None:
    done = personastream("export", stages, "--format", "jsonl", "--out", tmp_path / "out")
    assert done.code == 65
    assert f"{stages}/personas, {stages}/solved" in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (("--format", "sharegpt", "--out", "x"), 65, "record 'shard-0:9' has no messages"),
        (("--format", "sharegpt", "--out", "x.csv"), 64, "files end in .jsonl"),
        (("--format", "sharegpt", "--out", "x.jsonl", "--files", "parquet"), 64, "--files is for folders"),
        (("--format", "sharegpt", "--out", "."), 64, "name a file"),
        (("--format", "sharegpt", "--out", "x", "--where", "a = 1"), 64, "character 3: unexpected '='"),
        (("--format", "parquet", "--out", "x.jsonl"), 78, "cannot be written to .jsonl files"),
        (("--format", "alpaca", "--out", "x"), 64, "alpaca"),
    ],
)
def test_mistakes_are_told(stages: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, what: str) -> None:
    done = personastream("export", stages / "solved", *arguments, folder=tmp_path)
    assert done.code == code
    assert what in done.err
    assert not list(tmp_path.iterdir())


def test_no_run_is_told(tmp_path: Path) -> None:
    done = personastream("export", tmp_path, "--format", "jsonl", "--out", tmp_path / "x")
    assert done.code == 65
    assert "holds no run" in done.err


def test_personas_of_a_run_are_rows_of_the_published_kind(stages: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    where = 'meta.origin.url matches "/1[0-9]$"'
    done = personastream("export", stages / "personas", "--format", "personas", "--out", out, "--where", where)
    assert done.code == 0
    assert orjson.loads(out.read_bytes().splitlines()[0]) == {"persona": "A baker (10)"}


def test_what_no_export_has_written_is_never_replaced(stages: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.jsonl"
    mine.write_text("precious")
    words = ("export", stages / "personas", "--format", "personas", "--force", "--out")
    done = personastream(*words, mine)
    assert (done.code, "is no export" in done.err, mine.read_text()) == (73, True, "precious")
    among = personastream(*words, stages / "personas" / "data" / "x.jsonl")
    assert (among.code, "among the files of the run" in among.err) == (73, True)
    assert personastream(*words, tmp_path / "new.jsonl").code == 0
    assert personastream(*words, tmp_path / "new.jsonl").code == 0


def test_an_export_of_nothing_says_so(stages: Path, tmp_path: Path) -> None:
    done = personastream(
        "export", stages / "personas", "--format", "jsonl", "--where", "perosna != null", "--out", tmp_path / "x.jsonl"
    )
    assert (done.code, "No record was written. Is --where right?" in done.err) == (0, True)


def test_a_report_replaces_nothing_but_a_report(stages: Path, tmp_path: Path) -> None:
    manifest = (stages / "personas" / "run.json").read_bytes()
    done = personastream("report", stages / "personas", "--output", stages / "personas" / "run.json")
    assert (done.code, "is no report" in done.err) == (73, True)
    assert (stages / "personas" / "run.json").read_bytes() == manifest
    for _ in range(2):
        assert personastream("report", stages / "personas", "--output", tmp_path / "page.html").code == 0
