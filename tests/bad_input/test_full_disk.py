"""A disk that runs full: the run pauses and says so, goes on when there is room, and loses and repeats nothing."""

import resource
import signal
from pathlib import Path

import pytest

from tests.support.command import finish, personastream, started
from tests.support.mounts import fill, mounted
from tests.support.outputs import read_records
from tests.support.simulated import Simulated, simulated
from tests.support.workspace import persona_lines, write_config, write_shard

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

ROWS = 400
IN_FLIGHT_MAX = 4
COMMIT_ROWS_MAX = 16
ROOM_BYTES = 100_000
"""Less than the output of all rows takes."""


def job(folder: Path, server: Simulated, **limits: float) -> Path:
    write_shard(folder / "in" / "a.jsonl.zst", persona_lines(ROWS))
    return write_config(
        folder / "job.toml",
        server.base_url,
        provider={"in_flight_max": IN_FLIGHT_MAX},
        sink={"path": "disk/run", "commit_rows_max": COMMIT_ROWS_MAX, "part_bytes_max": 1 << 16},
        limits=limits,
    )


def check_whole(run: Path) -> None:
    assert personastream("verify", run).code == 0
    assert sorted(record["id"] for record in read_records(run / "data")) == sorted(f"a:{row}" for row in range(ROWS))


def test_a_run_pauses_until_there_is_room_and_finishes_without_asking_twice(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=2m") as disk, simulated() as server:
        config, filler = job(tmp_path, server), fill(disk, ROOM_BYTES)
        with started("run", config, "--progress", "plain") as process:
            assert process.stderr is not None
            line = process.stderr.readline().decode()
            assert "paused: no space left" in line, line
            assert f"{tmp_path / 'disk' / 'run'}" in line
            settled = personastream("status", disk / "run", "--json").json()["rows"]["settled"]
            assert 0 < settled < ROWS
            assert personastream("verify", disk / "run").code == 0
            filler.unlink()
            done = finish(process, timeout_s=120)
        assert done.code == 0, done.err
        assert f"= {ROWS} delivered" in done.err
        check_whole(disk / "run")
        assert server.stats()["arrivals"] == ROWS


def test_a_paused_run_that_is_told_to_stop_does_so_and_resume_finishes(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=2m") as disk, simulated() as server:
        config, filler = job(tmp_path, server, drain_s_max=0.5), fill(disk, ROOM_BYTES)
        with started("run", config) as process:
            assert process.stderr is not None
            assert b"paused: no space left" in process.stderr.readline()
            process.send_signal(signal.SIGTERM)
            done = finish(process, timeout_s=30)
        assert done.code == 75
        assert "no space left" in done.err
        assert "Make room, then run again with --resume." in done.err
        filler.unlink()
        assert personastream("run", config, "--resume").code == 0
        check_whole(disk / "run")
        assert server.stats()["repeats"] <= IN_FLIGHT_MAX + COMMIT_ROWS_MAX


def test_a_disk_that_is_full_from_the_start_is_told_and_a_start_with_room_works(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=2m") as disk, simulated() as server:
        config, filler = job(tmp_path, server), fill(disk, 0)
        done = personastream("run", config)
        assert done.code == 73
        assert "No space left on device" in done.err
        assert server.stats()["arrivals"] == 0
        filler.unlink()
        assert personastream("run", config, "--max-rows", "50").code == 75

        filler = fill(disk, 0)
        with started("run", config, "--resume") as process:
            assert process.stderr is not None
            assert b"paused: no space left" in process.stderr.readline()
            filler.unlink()
            assert finish(process, timeout_s=120).code == 0
        check_whole(disk / "run")


def test_a_file_size_limit_is_a_full_disk(tmp_path: Path) -> None:
    with simulated() as server:
        config = job(tmp_path, server, drain_s_max=0.5)
        with started("run", config, "--set", "sink.part_bytes_max=100000000") as process:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
            assert process.stderr is not None
            line = process.stderr.readline()
            assert b"paused: no space left" in line
            assert b"File too large" in line
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            assert finish(process, timeout_s=120).code == 0
        check_whole(tmp_path / "disk" / "run")
