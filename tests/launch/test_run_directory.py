"""The run directory: one owner at a time, and never a second run in it by mistake."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from personastream.errors import CannotCreate, CorruptOutput, ExitCode, ManifestMismatch, RunBusy, RunExists
from personastream.launch.run_directory import begin_or_continue, owned
from personastream.records import Shard

SHARDS = [Shard(0, "people", "/in/people.jsonl", 100, "f" * 32)]
OWNER = """
import sys
from pathlib import Path
from personastream.launch.run_directory import owned
with owned(Path(sys.argv[1])):
    print("owned", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_owner(directory: Path) -> Iterator["subprocess.Popen[str]"]:
    """A real process that owns the run directory."""
    command = [sys.executable, "-c", OWNER, str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "owned\n"
        yield process
        process.kill()


def begin(directory: Path, *, resume: bool, model: str = "m") -> str:
    identity = {"provider.model": model}
    manifest = begin_or_continue(
        directory, Path("run.toml"), identity, SHARDS, resume=resume, command="personastream run run.toml --resume"
    )
    return manifest.run_id


def test_a_directory_is_created_with_all_above_it(tmp_path: Path) -> None:
    with owned(tmp_path / "runs" / "math"):
        assert (tmp_path / "runs" / "math" / "state" / "lock").is_file()


def test_the_lock_names_its_owner(tmp_path: Path) -> None:
    with owned(tmp_path):
        assert f"pid {os.getpid()} on " in (tmp_path / "state" / "lock").read_text()


def test_a_second_process_is_told_who_works_here(tmp_path: Path) -> None:
    with another_owner(tmp_path) as owner:
        with pytest.raises(RunBusy, match=f"pid {owner.pid} on ") as caught, owned(tmp_path):
            pass
        assert caught.value.exit_code == ExitCode.CANNOT_CREATE
        assert str(tmp_path) in caught.value.message


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    with another_owner(tmp_path) as owner:
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        with owned(tmp_path):
            pass


def test_a_lock_is_freed_when_its_block_ends_in_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), owned(tmp_path):
        raise ZeroDivisionError
    with owned(tmp_path):
        pass


def test_one_process_cannot_own_a_directory_twice(tmp_path: Path) -> None:
    with owned(tmp_path), pytest.raises(RunBusy), owned(tmp_path):
        pass


def test_a_lock_is_no_way_to_write_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "run" / "state").mkdir(parents=True)
    (tmp_path / "precious").write_text("keep me")
    (tmp_path / "run" / "state" / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(CannotCreate), owned(tmp_path / "run"):
        pass
    assert (tmp_path / "precious").read_text() == "keep me"


@pytest.mark.parametrize("place", ["file", "file/run", "dev-null"])
def test_a_directory_that_cannot_be_created_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "dev-null").symlink_to("/dev/null")
    with pytest.raises(CannotCreate, match=str(tmp_path / place)) as caught, owned(tmp_path / place):
        pass
    assert caught.value.hint.startswith("Choose another [sink] path")


@pytest.mark.parametrize("resume", [False, True])
def test_an_empty_directory_begins_a_run(tmp_path: Path, resume: bool) -> None:
    assert begin(tmp_path, resume=resume)
    assert (tmp_path / "run.json").is_file()


def test_a_run_is_continued_only_if_that_is_said(tmp_path: Path) -> None:
    run_id = begin(tmp_path, resume=False)
    before = (tmp_path / "run.json").read_bytes()
    with pytest.raises(RunExists) as caught:
        begin(tmp_path, resume=False)
    assert caught.value.exit_code == ExitCode.CANNOT_CREATE
    assert "personastream run run.toml --resume" in caught.value.hint
    assert (tmp_path / "run.json").read_bytes() == before
    assert begin(tmp_path, resume=True) == run_id


def test_a_run_is_not_continued_with_something_else(tmp_path: Path) -> None:
    begin(tmp_path, resume=False)
    with pytest.raises(ManifestMismatch, match="was 'm', is now 'other'"):
        begin(tmp_path, resume=True, model="other")


@pytest.mark.parametrize("name", ["people-00000.jsonl.zst", "people-00000.jsonl.zst.part"])
@pytest.mark.parametrize("resume", [False, True])
def test_output_without_a_manifest_is_not_built_upon(tmp_path: Path, name: str, resume: bool) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_bytes(b"")
    with pytest.raises(CorruptOutput, match=r"no run\.json"):
        begin(tmp_path, resume=resume)
    assert not (tmp_path / "run.json").exists()


def test_dead_letters_without_a_manifest_are_not_built_upon(tmp_path: Path) -> None:
    (tmp_path / "dead").mkdir()
    (tmp_path / "dead" / "people-00000.jsonl.zst").write_bytes(b"")
    with pytest.raises(CorruptOutput, match=r"no run\.json"):
        begin(tmp_path, resume=False)
