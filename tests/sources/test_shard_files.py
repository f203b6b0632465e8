"""Paths become shards in order, and whatever is unfit is refused by name before anything runs."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from personastream.errors import BadInput, ConfigError, RunError
from personastream.sources.local_file import LocalFile
from personastream.sources.shard_files import PARQUET, find_shards

LINE = b'{"persona": "a"}\n'


@contextmanager
def unprivileged() -> Iterator[None]:
    """As somebody whom file permissions bind, also when the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


def file(path: Path, content: bytes = LINE) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return str(path)


def refusal(*paths: str) -> RunError:
    with pytest.raises((BadInput, ConfigError)) as caught:
        find_shards(paths)
    assert caught.value.hint
    return caught.value


def test_files_keep_their_order_and_globs_are_sorted_by_name(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl.zst", "c.jsonl.gz"):
        file(tmp_path / "many" / name, name.encode())
    single = file(tmp_path / "z.jsonl")
    shards = find_shards([single, str(tmp_path / "many" / "*")])
    assert [(shard.index, shard.stem) for shard in shards] == [(0, "z"), (1, "a"), (2, "b"), (3, "c")]
    assert [shard.path for shard in shards][1:] == [
        str(tmp_path / "many" / name) for name in ("a.jsonl.zst", "b.jsonl", "c.jsonl.gz")
    ]
    assert shards[0].size_bytes == len(LINE)


def test_a_double_star_reaches_into_folders(tmp_path: Path) -> None:
    file(tmp_path / "x" / "y" / "a.jsonl")
    assert [shard.stem for shard in find_shards([str(tmp_path / "**" / "*.jsonl")])] == ["a"]


def test_a_file_whose_name_looks_like_a_glob_is_that_file(tmp_path: Path) -> None:
    assert [shard.stem for shard in find_shards([file(tmp_path / "a[1].jsonl")])] == ["a[1]"]


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link.jsonl").symlink_to(file(tmp_path / "target"))
    assert [shard.stem for shard in find_shards([str(tmp_path / "link.jsonl")])] == ["link"]


def test_no_paths_at_all_are_refused() -> None:
    assert "empty" in str(refusal())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = str(tmp_path / "missing.jsonl")
    error = refusal(path)
    assert isinstance(error, BadInput)
    assert path in error.message
    assert "No such file" in error.message


def test_a_glob_without_a_match_is_named(tmp_path: Path) -> None:
    pattern = str(tmp_path / "*.jsonl.zst")
    error = refusal(pattern)
    assert isinstance(error, BadInput)
    assert f"{pattern}: no file matches" in error.message


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = file(tmp_path / "a.jsonl", b"")
    assert f"{path}: is empty" in refusal(path).message


@pytest.mark.parametrize("name", ["folder", "folder.jsonl"])
def test_a_folder_is_refused_with_the_glob_to_write(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    error = refusal(str(tmp_path / name))
    assert "is a folder" in error.message
    assert f"{name}/*.jsonl" in error.hint


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    assert "pipe, socket or device" in refusal(str(tmp_path / "pipe.jsonl")).message


def test_a_device_is_refused(tmp_path: Path) -> None:
    (tmp_path / "zero.jsonl").symlink_to("/dev/zero")
    assert "pipe, socket or device" in refusal(str(tmp_path / "zero.jsonl")).message


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the address of a socket must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s.jsonl")
        assert "s.jsonl: cannot be opened" in refusal("s.jsonl").message


def test_a_symlink_loop_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "b.jsonl")
    (tmp_path / "b.jsonl").symlink_to(tmp_path / "a.jsonl")
    for path in (tmp_path / "a.jsonl", tmp_path / "*.jsonl"):
        error = refusal(str(path))
        assert "symbolic links" in error.message
        assert "leads back to itself" in error.hint


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    path = file(tmp_path / "a.jsonl")
    os.chmod(path, 0)
    with unprivileged():
        error = refusal(path)
    assert "Permission denied" in error.message
    assert "readable" in error.hint


@pytest.mark.parametrize("name", ["a.json", "a", "a.zst", "a.JSONL", "a.jsonl.bz2", "a.jsonl.zst.part"])
def test_an_unknown_extension_is_refused(tmp_path: Path, name: str) -> None:
    error = refusal(file(tmp_path / name))
    assert isinstance(error, ConfigError)
    assert name in error.message
    assert ".jsonl.zst" in error.hint


def test_a_file_for_the_other_source_is_refused_by_its_name(tmp_path: Path) -> None:
    error = refusal(file(tmp_path / "a.jsonl"), file(tmp_path / "b.parquet"))
    assert isinstance(error, ConfigError)
    assert "b.parquet" in error.message
    assert 'type = "parquet"' in error.hint
    with pytest.raises(ConfigError, match=r"a\.jsonl'.*`jsonl`"):
        find_shards([str(tmp_path / "*")], PARQUET)


def test_json_lines_may_be_called_json_where_they_are_compressed(tmp_path: Path) -> None:
    paths = [file(tmp_path / "c4-train.00000.json.gz"), file(tmp_path / "a.json.zst")]
    assert [shard.stem for shard in find_shards(paths)] == ["c4-train.00000", "a"]


def test_a_file_named_twice_is_refused_however_it_is_named(tmp_path: Path) -> None:
    path = file(tmp_path / "a.jsonl")
    (tmp_path / "soft.jsonl").symlink_to(path)
    os.link(path, tmp_path / "hard.jsonl")
    for other in (path, f"{tmp_path}/./a.jsonl", str(tmp_path / "soft.jsonl"), str(tmp_path / "hard.jsonl")):
        error = refusal(path, other)
        assert isinstance(error, ConfigError)
        assert f"{path} and {other} are the same file" in error.message


def test_two_files_with_one_stem_are_refused(tmp_path: Path) -> None:
    first, second = file(tmp_path / "x" / "a.jsonl"), file(tmp_path / "y" / "a.jsonl.gz")
    error = refusal(first, second)
    assert isinstance(error, ConfigError)
    assert f"{first} and {second} are both called 'a'" in error.message


@pytest.mark.parametrize(
    "name",
    [
        b"-a.jsonl",
        b".a.jsonl",
        b".jsonl",
        b"..jsonl",
        b"a\nb.jsonl",
        b"a\x1b[2Jb.jsonl",
        b"a\xff.jsonl",
        "a\u202eb.jsonl".encode(),
        b"a" * 201 + b".jsonl",
        "é".encode() * 101 + b".jsonl",
    ],
)
def test_a_stem_that_cannot_start_file_names_is_refused(tmp_path: Path, name: bytes) -> None:
    error = refusal(file(tmp_path / os.fsdecode(name)))
    assert isinstance(error, ConfigError)
    assert "cannot start the names of output files" in error.message
    assert str(error).isprintable() or str(error).count("\n") == 1


def test_the_longest_safe_stem_is_taken(tmp_path: Path) -> None:
    assert len(find_shards([file(tmp_path / ("a" * 200 + ".jsonl"))])) == 1


def test_a_nul_in_a_path_is_refused() -> None:
    assert isinstance(refusal("a\0.jsonl"), ConfigError)


def test_a_path_upwards_is_fine_but_a_folder_upwards_is_not(tmp_path: Path) -> None:
    file(tmp_path / "a.jsonl")
    (tmp_path / "x").mkdir()
    assert find_shards([str(tmp_path / "x" / ".." / "a.jsonl")])[0].stem == "a"
    assert "is a folder" in refusal(str(tmp_path / "x" / "..")).message


@pytest.mark.parametrize("size", [1, 4 << 20, (4 << 20) + 1, 40 << 20])
def test_a_fingerprint_depends_on_size_edges_and_content(tmp_path: Path, size: int) -> None:
    path = file(tmp_path / "a.jsonl", b"x" * size)
    seen = {fingerprint(path)}
    assert seen == {fingerprint(path)}
    for place, byte in ((0, b"a"), (size // 2, b"b"), (size - 1, b"c")):
        with open(path, "r+b") as opened:
            opened.seek(place)
            opened.write(byte * min(3 << 20, size - place))
        seen.add(fingerprint(path))
    os.truncate(path, size + 1)
    seen.add(fingerprint(path))
    assert len(seen) == 5


def test_files_of_one_repeated_byte_differ_by_their_size(tmp_path: Path) -> None:
    path = file(tmp_path / "a.jsonl", b"x" * (5 << 20))
    first = fingerprint(path)
    with open(path, "ab") as opened:
        opened.write(b"x")
    assert fingerprint(path) != first


def fingerprint(path: str) -> str:
    with LocalFile(path) as opened:
        return opened.fingerprint()
