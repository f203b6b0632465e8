"""Streams that break: a pipe whose reader leaves, a stream that is closed, a device that is full."""

import os
from pathlib import Path

import pytest

from tests.support.command import finish, personastream, shell, started
from tests.support.outputs import read_records

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("verb", ["check job.toml", "check job.toml --json", "run --help", "--help"])
def test_a_reader_who_leaves_after_one_line_is_no_failure(config: Path, verb: str) -> None:
    assert shell(f"$P {verb} | head -n 1", config.parent) == (0, "")
    assert shell(f"$P {verb} | true", config.parent) == (0, "")


def test_whoever_reads_only_the_first_line_of_verify_gets_its_exit_code(config: Path) -> None:
    assert personastream("run", config).code == 0
    assert shell("$P verify run | true", config.parent) == (0, "")
    part = config.parent / "run" / "data" / "shard-0-00000.jsonl.zst"
    part.write_bytes(part.read_bytes()[:-1])
    assert shell("$P verify run | true", config.parent) == (74, "")


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2>/dev/full", "2>&1 | true"])
def test_a_run_finishes_although_nobody_listens(config: Path, redirection: str) -> None:
    assert shell(f"$P run job.toml {redirection}", config.parent)[0] == 0
    assert len(read_records(config.parent / "run" / "data")) == 30


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "2>/dev/full", "2>&1 | true"])
def test_a_failure_keeps_its_exit_code_although_nobody_listens(config: Path, redirection: str) -> None:
    assert shell(f"$P run nowhere.toml {redirection}", config.parent)[0] == 78
    assert shell(f"$P run {redirection}", config.parent)[0] == 64


def test_output_that_cannot_be_written_is_a_failure_that_is_told(config: Path) -> None:
    for verb in ("check job.toml", "check job.toml --json"):
        code, err = shell(f"$P {verb} >/dev/full", config.parent)
        assert code == 74
        assert "cannot write the output: No space left on device" in err


def test_a_closed_stdin_and_a_working_directory_that_is_gone_are_survived(config: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    code, err = shell(f"cd {gone}; rmdir {gone}; $P run {config}", config.parent)
    assert code == 0, err


def test_the_simulator_ends_quietly_when_it_is_told_to(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with started("simulate", "--port", "0", stdout=writing) as process:
        os.close(writing)
        with os.fdopen(reading) as lines:
            assert lines.readline().startswith("http://127.0.0.1:")
        process.terminate()
        done = finish(process, timeout_s=20)
    assert done.code == 0
    assert "0 requests" in done.err
