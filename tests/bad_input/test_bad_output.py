"""A place for the output that cannot be used: exit code 73, what and where, and nothing asked of the model."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command import personastream
from tests.support.mounts import mounted
from tests.support.simulated import Simulated
from tests.support.workspace import persona_lines, write_config, write_shard

pytestmark = pytest.mark.slow


def _file(path: Path) -> None:
    path.write_text("in the way")


def _file_above(path: Path) -> None:
    path.parent.mkdir()
    path.parent.rmdir()
    _file(path.parent)


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _file_for_data(path: Path) -> None:
    path.mkdir()
    _file(path / "data")


def _file_for_state(path: Path) -> None:
    path.mkdir()
    _file(path / "state")


def _link_for_lock(path: Path) -> None:
    (path / "state").mkdir(parents=True)
    (path / "state" / "lock").symlink_to("/etc/hostname")


IN_THE_WAY: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a file": ("run", _file),
    "a file above": ("above/run", _file_above),
    "a symbolic link to itself": ("run", _loop),
    "a name too long": ("r" * 300, lambda _: None),
    "a file where data belongs": ("run", _file_for_data),
    "a file where the state belongs": ("run", _file_for_state),
    "a link where the lock belongs": ("run", _link_for_lock),
}


def job(folder: Path, simulator: Simulated, run: str) -> Path:
    write_shard(folder / "in" / "a.jsonl", persona_lines(5))
    return write_config(folder / "job.toml", simulator.base_url, sink={"path": run})


@pytest.mark.parametrize(("name", "make"), IN_THE_WAY.values(), ids=IN_THE_WAY.keys())
def test_something_in_the_way_is_73_and_named(
    tmp_path: Path, simulator: Simulated, name: str, make: Callable[[Path], object]
) -> None:
    config, asked = job(tmp_path, simulator, name), simulator.stats()["arrivals"]
    make(tmp_path / name)
    done = personastream("run", config)
    assert (done.code, done.out) == (73, ""), done.err
    assert str(tmp_path / name)[:80] in done.err
    assert "Choose another [sink] path" in done.err
    assert simulator.stats()["arrivals"] == asked


def test_a_file_system_that_is_read_only_is_73(tmp_path: Path, simulator: Simulated) -> None:
    config = job(tmp_path, simulator, "disk/run")
    with mounted(tmp_path / "disk", "ro"):
        done = personastream("run", config)
    assert done.code == 73
    assert "Read-only file system" in done.err
    assert "Choose another [sink] path" in done.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_of_somebody_else_is_73(tmp_path: Path, simulator: Simulated) -> None:
    config = job(tmp_path, simulator, "theirs/run")
    (tmp_path / "theirs").mkdir(mode=0o555)
    done = personastream("run", config)
    assert done.code == 73
    assert "Permission denied" in done.err


def test_output_without_its_manifest_is_not_taken_for_an_empty_place(tmp_path: Path, simulator: Simulated) -> None:
    config = job(tmp_path, simulator, "run")
    assert personastream("run", config).code == 0
    (tmp_path / "run" / "run.json").unlink()
    done = personastream("run", config, "--resume")
    assert done.code == 74
    assert "holds output but no run.json" in done.err
