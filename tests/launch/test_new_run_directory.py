"""A new run's directory outlives a power loss with all that is in it."""

import os
from pathlib import Path

import pytest

from personastream.launch.run_directory import begin_or_continue, owned


def begin(directory: Path, *, resume: bool) -> None:
    with owned(directory):
        begin_or_continue(directory, Path("run.toml"), {}, [], resume=resume, command="")


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Inode numbers of what has been synced, in order."""
    inodes: list[int] = []
    fsync = os.fsync

    def sync_and_remember(descriptor: int) -> None:
        inodes.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", sync_and_remember)
    return inodes


def test_the_names_of_all_new_directories_are_synced_before_the_run_exists(tmp_path: Path, synced: list[int]) -> None:
    directory = tmp_path / "some" / "where" / "run"
    begin(directory, resume=False)
    manifest_at = synced.index((directory / "run.json").stat().st_ino)
    for parent in (directory.parent, directory.parent.parent, tmp_path):
        assert parent.stat().st_ino in synced[:manifest_at]
    assert synced[-1] == directory.stat().st_ino


def test_a_run_that_exists_needs_none_of_that(tmp_path: Path, synced: list[int]) -> None:
    begin(tmp_path / "run", resume=False)
    synced.clear()
    begin(tmp_path / "run", resume=True)
    assert synced == []


def test_a_parent_that_may_not_be_opened_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_file = os.open

    def refuse(path: str | Path, *arguments: int) -> int:
        if Path(path) == tmp_path:
            raise PermissionError(13, "Permission denied")
        return open_file(path, *arguments)

    monkeypatch.setattr(os, "open", refuse)
    begin(tmp_path / "run", resume=False)
    assert (tmp_path / "run" / "run.json").exists()
