"""`personastream purge` as people meet it."""

import os
import pty
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from personastream.launch.manifest import read_manifest, write_manifest
from tests.support.command import COMMAND, environment, personastream
from tests.support.ended_run import record, write_run
from tests.support.outputs import fingerprint, read_records

pytestmark = pytest.mark.slow


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(
        tmp_path / "run", {"a": [record("One", "A baker"), record("\x1b[31mTwo", "A nun of eighty\x1b]0;x\x07")]}
    )


def ids(run: Path) -> list[str]:
    return [each["id"] for each in read_records(run / "data")]


def test_it_shows_what_would_go_and_does_it_when_told_so(run: Path) -> None:
    before = fingerprint(run / "data")
    looked = personastream("purge", run, "--text", "A NUN", "--dry-run")
    assert looked.code == 0
    assert "records              1" in looked.out
    assert "a:1: A nun of eighty ]0;x" in looked.out
    assert "\x1b" not in looked.out
    assert fingerprint(run / "data") == before
    purged = personastream("purge", run, "--text", "A NUN", "--yes")
    assert purged.code == 0
    assert ids(run) == ["a:0"]
    assert "nothing is found" in personastream("purge", run, "--text", "A NUN", "--yes").out
    assert "purged" in personastream("status", run).out
    assert personastream("verify", run).code == 0


def test_nobody_is_asked_where_nobody_is(run: Path) -> None:
    asked = personastream("purge", run, "--id", "a:0")
    assert (asked.code, ids(run)) == (64, ["a:0", "a:1"])
    assert "--yes" in asked.err


@pytest.mark.parametrize("answer", ["n", "y"])
def test_on_a_terminal_one_is_asked(run: Path, answer: str) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [COMMAND, "purge", str(run), "--id", "a:0"],
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
    ) as process:
        os.write(ours, f"{answer}\n".encode())
        code = process.wait(100)
    os.close(ours)
    os.close(theirs)
    assert (code, ids(run)) == ((75, ["a:0", "a:1"]) if answer == "n" else (0, ["a:1"]))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 64, "--id, --where or --text"),
        (["--text", " \u3000 "], 64, "white space"),
        (["--where", "persona =="], 64, "--where"),
        (["--text", "x", "--where", "a == 1 and"], 64, "--where"),
        (["--text", "x", "--where", ""], 64, "--where"),
        (["--id", ""], 64, "an id is empty"),
        (["--id", "a:0", "--id", " "], 64, "an id is empty"),
    ],
)
def test_mistakes_are_told(run: Path, words: list[str], code: int, said: str) -> None:
    told = personastream("purge", run, *words, "--yes")
    assert told.code == code
    assert said in told.err
    assert ids(run) == ["a:0", "a:1"]


def test_a_folder_without_a_run_is_told(tmp_path: Path) -> None:
    assert personastream("purge", tmp_path, "--id", "a:0", "--yes").code == 65
    assert personastream("purge", tmp_path, "--id", "a:0").code == 65  # nobody is here, but that is not what is wrong
    assert list(tmp_path.iterdir()) == []


def test_files_of_others_that_hold_it_are_named(run: Path) -> None:
    (run / "notes.txt").write_text("the nun: A nun of eighty\x1b]0;x\x07")
    told = personastream("purge", run, "--id", "a:1", "--yes")
    assert told.code == 75
    assert "notes.txt" in told.err
    assert "remove it yourself" in told.err
    again = personastream("purge", run, "--text", "a nun", "--yes")
    assert (again.code, "notes.txt" in again.err) == (75, True)
    assert personastream("purge", run, "--text", "a nun", "--dry-run").code == 75


def test_settings_that_name_somebody_are_told_and_nobody_is_sent_to_remove_the_run(run: Path) -> None:
    manifest = read_manifest(run)
    assert manifest is not None
    write_manifest(run, replace(manifest, identity={**manifest.identity, "screen[0].words": ["a NUN"]}))
    before = (run / "run.json").read_bytes()
    told = personastream("purge", run, "--text", "a nun", "--yes")
    assert (told.code, ids(run), (run / "run.json").read_bytes()) == (75, ["a:0"], before)
    assert "run.json holds it, in screen[0].words" in told.err
    assert "is needed, and stays as it is" in told.err
    assert "remove it yourself" not in told.err


def test_rows_that_are_not_read_yet_are_counted(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"a": [record("One")]}, finished=False)
    told = personastream("purge", run, "--id", "a:7", "--id", "a:8", "--id", "a:9", "--yes")
    assert told.code == 0
    assert "purged    3 rows of the input\n" in told.err
    told = personastream("purge", run, "--id", "a:0", "--id", "a:5", "--yes")
    assert "purged    1 record, 0 dead letters and 1 row of the input\n" in told.err
