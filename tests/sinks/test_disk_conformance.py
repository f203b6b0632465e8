"""The real disk and the simulated one are the same to the log: one suite for both."""

import ctypes
import errno
import os
import resource
import stat
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from personastream.errors import CannotCreate, DiskFull, StorageFailed
from personastream.sinks import disk as disk_module
from personastream.sinks.disk import Disk, OsDisk, Snapshot
from tests.support.simulated_disk import Plan, SimulatedDisk


@pytest.fixture(params=["os", "simulated"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    made: Disk = OsDisk(str(tmp_path)) if request.param == "os" else SimulatedDisk()
    made.make_directory("data")
    return made


def write(disk: Disk, name: str, content: bytes) -> None:
    with closing(disk.create(name)) as file:
        if content:
            file.append(content)
        file.sync()


def read(disk: Disk, name: str) -> bytes:
    with closing(disk.open(name, writable=False)) as file:
        return file.read_at(0, file.size())


def test_what_is_appended_is_read_back_at_any_place(disk: Disk) -> None:
    with closing(disk.create("data/a")) as file:
        assert file.size() == 0
        file.append(b"hello ")
        file.append(b"world")
        assert file.size() == 11
        assert file.read_at(0, 11) == b"hello world"
        assert file.read_at(6, 3) == b"wor"
        assert file.read_at(6, 100) == b"world"
        assert file.read_at(11, 1) == file.read_at(50, 10) == b""


def test_a_file_of_megabytes_is_written_and_read_whole(disk: Disk) -> None:
    content = bytes(range(256)) * 20_000
    write(disk, "data/large", content)
    assert read(disk, "data/large") == content


def test_syncing_and_dropping_the_cache_change_nothing_that_is_read(disk: Disk) -> None:
    with closing(disk.create("data/a")) as file:
        file.append(b"x" * 5000)
        file.sync()
        file.drop_cache()
        file.append(b"y" * 5000)
        file.drop_cache()
        assert file.read_at(0, 10_000) == b"x" * 5000 + b"y" * 5000


def test_a_file_takes_the_place_of_another_one(disk: Disk) -> None:
    write(disk, "data/old", b"old")
    write(disk, "data/new", b"new")
    disk.replace("data/new", "data/old")
    assert disk.names("data") == ["old"]
    assert read(disk, "data/old") == b"new"
    with pytest.raises(StorageFailed):
        disk.replace("data/new", "data/old")


def test_a_file_that_is_removed_is_gone(disk: Disk) -> None:
    write(disk, "data/a", b"x")
    disk.remove("data/a")
    assert disk.names("data") == []
    with pytest.raises(StorageFailed):
        disk.remove("data/a")
    write(disk, "data/a", b"y")
    assert read(disk, "data/a") == b"y"


def test_after_a_cut_the_next_append_goes_to_the_new_end(disk: Disk) -> None:
    with closing(disk.create("data/a")) as file:
        file.append(b"0123456789")
        file.truncate(4)
        file.append(b"ab")
        assert file.read_at(0, 100) == b"0123ab"


def test_another_opening_sees_what_was_written_and_continues_it(disk: Disk) -> None:
    write(disk, "data/a", b"one")
    with closing(disk.open("data/a")) as file:
        file.append(b"two")
        assert read(disk, "data/a") == b"onetwo"


def test_a_file_opened_for_reading_cannot_be_written(disk: Disk) -> None:
    write(disk, "data/a", b"one")
    with closing(disk.open("data/a", writable=False)) as file:
        with pytest.raises(StorageFailed):
            file.append(b"two")
        with pytest.raises(StorageFailed):
            file.truncate(0)
        file.sync()
        file.drop_cache()
    assert read(disk, "data/a") == b"one"


def test_a_name_is_created_once_only(disk: Disk) -> None:
    write(disk, "data/a", b"first")
    with pytest.raises(StorageFailed):
        disk.create("data/a")
    assert read(disk, "data/a") == b"first"


@pytest.mark.parametrize("name", ["data/missing", "nowhere/a"])
def test_a_missing_file_is_an_error(disk: Disk, name: str) -> None:
    with pytest.raises(StorageFailed, match=name):
        disk.open(name)
    with pytest.raises(StorageFailed):
        disk.rename(name, "data/b")


def test_nothing_is_created_in_a_missing_directory(disk: Disk) -> None:
    with pytest.raises(StorageFailed):
        disk.create("nowhere/a")


def test_a_renamed_file_keeps_its_content_and_its_readers(disk: Disk) -> None:
    write(disk, "data/a", b"content")
    with closing(disk.open("data/a")) as file:
        disk.rename("data/a", "data/b")
        assert disk.names("data") == ["b"]
        assert file.read_at(0, 100) == read(disk, "data/b") == b"content"


def test_a_rename_never_replaces_a_file(disk: Disk) -> None:
    write(disk, "data/a", b"a")
    write(disk, "data/b", b"b")
    with pytest.raises(StorageFailed):
        disk.rename("data/a", "data/b")
    assert (read(disk, "data/a"), read(disk, "data/b")) == (b"a", b"b")


def test_names_are_sorted_and_none_in_a_missing_directory(disk: Disk) -> None:
    for name in ("b", "a-00001.jsonl.zst", "a-00000.jsonl.zst.part", "ö"):
        write(disk, f"data/{name}", b"")
    assert disk.names("data") == ["a-00000.jsonl.zst.part", "a-00001.jsonl.zst", "b", "ö"]
    assert disk.names("missing") == []
    assert disk.names("") == ["data"]


def test_a_directory_may_be_made_again(disk: Disk) -> None:
    write(disk, "data/a", b"a")
    disk.make_directory("data")
    assert disk.names("data") == ["a"]


def test_directories_can_be_synced_if_they_are_there(disk: Disk) -> None:
    disk.sync_directory("data")
    disk.sync_directory("")
    with pytest.raises(StorageFailed):
        disk.sync_directory("missing")


def test_a_snapshot_does_not_see_what_is_appended_later(disk: Disk) -> None:
    with closing(disk.create("data/a")) as file:
        file.append(b"0123456789")
        snapshot = Snapshot(file)
        file.append(b"later")
        assert snapshot.size == 10
        assert snapshot.read_at(5, 100) == b"56789"
        assert snapshot.read_at(10, 5) == snapshot.read_at(12, 5) == b""


def test_a_full_disk_is_told_from_a_broken_one() -> None:
    disk = SimulatedDisk()
    disk.make_directory("data")
    file = disk.create("data/a")
    file.append(b"x" * 100)
    disk.restart(Plan(full_from=1, full_to=2, fails_at=3), power_lost=False)
    file = disk.open("data/a")
    with pytest.raises(DiskFull):
        file.append(b"y" * 100)
    assert file.read_at(0, 100) == b"x" * 100
    assert file.size() < 200
    file.truncate(100)
    with pytest.raises(StorageFailed):
        file.sync()


# What only a real disk can show.


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_real_full_device_is_disk_full() -> None:
    with (
        closing(OsDisk("/dev").open("full")) as file,
        pytest.raises(DiskFull, match="no space left to write to"),
    ):
        file.append(b"x")


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_short_write_is_continued_and_then_reported(tmp_path: Path) -> None:
    with closing(OsDisk(str(tmp_path)).create("a")) as file:
        with largest_file(1000), pytest.raises(DiskFull):
            file.append(b"x" * 5000)
        assert file.size() == 1000


def test_a_symlink_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "a").symlink_to("precious")
    with pytest.raises(StorageFailed):
        OsDisk(str(tmp_path)).open("a")
    with pytest.raises(StorageFailed):
        OsDisk(str(tmp_path)).create("a")
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_files_are_not_for_everybody(tmp_path: Path) -> None:
    disk = OsDisk(str(tmp_path))
    disk.make_directory("data")
    disk.create("data/a").close()
    assert stat.S_IMODE((tmp_path / "data" / "a").stat().st_mode) & 0o137 == 0
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) & 0o027 == 0


def test_a_file_in_the_place_of_a_directory_is_an_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"")
    disk = OsDisk(str(tmp_path))
    with pytest.raises(StorageFailed, match="cannot list"):
        disk.names("data")
    with pytest.raises(CannotCreate, match="data"):
        disk.make_directory("data")


@pytest.mark.parametrize("answer", [None, errno.EINVAL, errno.ENOSYS])
def test_without_the_kernels_help_a_rename_replaces_nothing_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: int | None
) -> None:
    def refuse(*_: object) -> int:
        ctypes.set_errno(answer or 0)
        return -1

    monkeypatch.setattr(disk_module, "_renameat2", None if answer is None else refuse)
    disk = OsDisk(str(tmp_path))
    write(disk, "a", b"a")
    write(disk, "b", b"b")
    with pytest.raises(StorageFailed, match="exists"):
        disk.rename("a", "b")
    assert (read(disk, "a"), read(disk, "b")) == (b"a", b"b")
    disk.rename("a", "c")
    assert (disk.names(""), read(disk, "c")) == (["b", "c"], b"a")


def test_no_space_for_a_new_name_is_disk_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        ctypes.set_errno(errno.ENOSPC)
        return -1

    monkeypatch.setattr(disk_module, "_renameat2", refuse)
    disk = OsDisk(str(tmp_path))
    write(disk, "a", b"a")
    with pytest.raises(DiskFull, match="no space left to rename"):
        disk.rename("a", "b")


@pytest.mark.skipif(sys.platform != "linux", reason="the call is Linux's own")
def test_this_system_renames_in_one_call() -> None:
    assert disk_module._renameat2 is not None
