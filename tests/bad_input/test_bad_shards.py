"""Shards that are missing, damaged or not what they claim: exit code 65, and what is committed stays."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from tests.support.command import finish, personastream, started
from tests.support.held_server import held_server
from tests.support.outputs import read_records
from tests.support.simulated import Simulated
from tests.support.workspace import persona_lines, write_config, write_shard

pytestmark = pytest.mark.slow

SOUND_ROWS = 20


def _zst(*, checksum: bool = False) -> bytes:
    """A frame of nine rows."""
    raw = b"".join(line + b"\n" for line in persona_lines(9, 5))
    return zstandard.ZstdCompressor(level=3, write_checksum=checksum).compress(raw)


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _fifo(path: Path) -> None:
    os.mkfifo(path)


Make = Callable[[Path], object]

# Refused before anything is asked: name, how it is made, what the message holds besides the name, the next step.
UNFIT: dict[str, tuple[str, Make, str, str]] = {
    "missing": ("b.jsonl", lambda _: None, "cannot be opened: No such file", "Check `paths`"),
    "a glob that matches nothing": ("*.none", lambda _: None, "no file matches", "Check `paths`"),
    "empty": ("b.jsonl", Path.touch, "is empty (0 bytes)", "leave it out"),
    "an empty zstd file": ("b.jsonl.zst", Path.touch, "is empty (0 bytes)", "leave it out"),
    "a symbolic link to itself": ("b.jsonl", _loop, "cannot be opened", "name the file itself"),
    "a folder": ("b.jsonl", Path.mkdir, "is a folder", "*.jsonl.zst"),
    "a pipe": ("b.jsonl", _fifo, "is a pipe", "Write the data to a file"),
}

# Found while reading: name, content, what the message holds.
DAMAGED: dict[str, tuple[str, bytes, str]] = {
    "garbage called zstd": ("b.jsonl.zst", b"garbage " * 99, "byte 0: no zstd frame starts here"),
    "gzip called zstd": ("b.jsonl.zst", b"\x1f\x8b\x08" + bytes(99), "It looks like gzip"),
    "text called zstd": ("b.jsonl.zst", b'{"persona": "a"}\n', "It looks like text"),
    "garbage called gzip": ("b.jsonl.gz", b"garbage " * 99, "byte 0: no gzip member starts here"),
    "a truncated frame": ("b.jsonl.zst", _zst()[:-7], "ends inside the zstd frame that starts at byte 0"),
    "a truncated header": ("b.jsonl.zst", _zst()[:5], "ends inside the zstd frame"),
    "a second frame truncated": ("b.jsonl.zst", _zst() + _zst()[:-1], "ends inside the zstd frame that starts"),
    "garbage behind a frame": ("b.jsonl.zst", _zst() + b"garbage", "no zstd frame starts here"),
    "a wrong checksum": ("b.jsonl.zst", _zst(checksum=True)[:-1] + b"?", "damaged zstd frame from byte 0"),
}


def job(folder: Path, simulator: Simulated, *bad: str) -> Path:
    """A sound shard first, then the one in question."""
    write_shard(folder / "in" / "a.jsonl", persona_lines(SOUND_ROWS))
    paths = ["in/a.jsonl", *(f"in/{name}" for name in bad)]
    return write_config(folder / "job.toml", simulator.base_url, source={"paths": paths})


@pytest.mark.parametrize(("name", "make", "words", "step"), UNFIT.values(), ids=UNFIT.keys())
def test_an_unfit_shard_is_refused_before_anything_is_asked(
    tmp_path: Path, simulator: Simulated, name: str, make: Make, words: str, step: str
) -> None:
    config, asked = job(tmp_path, simulator, name), simulator.stats()["arrivals"]
    make(tmp_path / "in" / name)
    done = personastream("run", config)
    assert (done.code, done.out) == (65, "")
    for part in (str(tmp_path / "in" / name), words, step):
        assert part in done.err
    assert simulator.stats()["arrivals"] == asked
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("name", "content", "words"), DAMAGED.values(), ids=DAMAGED.keys())
def test_damage_is_told_with_file_place_and_what_to_do(
    tmp_path: Path, simulator: Simulated, name: str, content: bytes, words: str
) -> None:
    config = job(tmp_path, simulator, name)
    (tmp_path / "in" / name).write_bytes(content)
    stopped = personastream("run", config)
    assert (stopped.code, stopped.out) == (65, "")
    for part in (str(tmp_path / "in" / name), "byte ", words):
        assert part in stopped.err
    assert stopped.err.count("\n") >= 2, "a hint follows"


def test_what_was_committed_before_the_damage_stays_whole(tmp_path: Path, simulator: Simulated) -> None:
    config, run = job(tmp_path, simulator, "b.jsonl.zst"), tmp_path / "run"
    (tmp_path / "in" / "b.jsonl.zst").write_bytes(_zst()[:-7])
    kept: list[str] = []
    for _ in range(2):
        assert personastream("run", config, "--resume").code == 65
        before, kept = kept, sorted(record["id"] for record in read_records(run / "data", open_parts=True))
        assert set(before) <= set(kept)
        assert len(set(kept)) == len(kept) > 0
    assert personastream("verify", run).code == 0


def test_a_mended_shard_is_another_shard(tmp_path: Path, simulator: Simulated) -> None:
    config = job(tmp_path, simulator, "b.jsonl.zst")
    (tmp_path / "in" / "b.jsonl.zst").write_bytes(_zst()[:-7])
    assert personastream("run", config).code == 65
    (tmp_path / "in" / "b.jsonl.zst").write_bytes(_zst())
    changed = personastream("run", config, "--resume")
    assert changed.code == 78
    assert "shard b: its content has changed" in changed.err
    assert "another [sink] path" in changed.err


def test_a_shard_that_grows_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "in" / "a.jsonl", persona_lines(40))
    with held_server() as server:
        source = {"batch_rows": 4}
        config = write_config(tmp_path / "job.toml", server.base_url, source=source, provider={"in_flight_max": 2})
        with started("run", config) as process:
            server.wait_for(2)
            with shard.open("ab") as file:
                file.write(b'{"persona": "a late one"}\n')
            server.let_go()
            done = finish(process)
    assert done.code == 65
    assert "while being read" in done.err
    assert "Leave input files alone" in done.err


def test_check_finds_an_unfit_shard_as_well(tmp_path: Path, simulator: Simulated) -> None:
    done = personastream("check", job(tmp_path, simulator, "b.jsonl"))
    assert (done.code, done.out) == (65, "")
    assert "b.jsonl: cannot be opened" in done.err


def test_two_shards_of_one_name_are_refused(tmp_path: Path, simulator: Simulated) -> None:
    config = job(tmp_path, simulator, "a.jsonl.gz")
    write_shard(tmp_path / "in" / "a.jsonl.gz", persona_lines(2))
    done = personastream("run", config)
    assert done.code == 78
    assert "are both called 'a'" in done.err
    assert "Rename one" in done.err
