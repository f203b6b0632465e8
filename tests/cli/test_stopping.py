"""A run that is told to stop, or killed, or met by a second one: what the process does, with requests in flight."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import pytest

from tests.support.command import finish, personastream, started
from tests.support.held_server import Answer, HeldServer, held_server
from tests.support.outputs import read_records
from tests.support.workspace import persona_lines, write_config, write_shard

IN_FLIGHT = 4
ROWS = 20


@pytest.fixture
def server() -> Iterator[HeldServer]:
    with held_server() as running:
        yield running


def job(folder: Path, server: HeldServer, **limits: float) -> Path:
    write_shard(folder / "in" / "shard.jsonl.zst", persona_lines(ROWS))
    return write_config(folder / "job.toml", server.base_url, provider={"in_flight_max": IN_FLIGHT}, limits=limits)


@contextmanager
def under_way(config: Path, server: HeldServer) -> Iterator["Popen[bytes]"]:
    """A run with as many requests in flight as may be, none of them answered."""
    with started("run", config) as process:
        server.wait_for(IN_FLIGHT)
        yield process


def delivered(config: Path) -> list[str]:
    return sorted(record["id"] for record in read_records(config.parent / "run" / "data", open_parts=True))


def finishes(config: Path) -> bool:
    """Whether the same command with --resume ends the job with every row once."""
    done = personastream("run", config, "--resume")
    verified = personastream("verify", config.parent / "run")
    whole = delivered(config) == sorted(f"shard:{row}" for row in range(ROWS))
    return done.code == 0 and verified.code == 0 and whole


def send_and_see_taken(process: "Popen[bytes]", number: signal.Signals) -> None:
    """Send a signal; return when the process has it: two of a kind that wait together are one to the kernel."""
    process.send_signal(number)
    waits = True
    while waits:
        status = Path(f"/proc/{process.pid}/status").read_text()
        pending = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith(("SigPnd", "ShdPnd"))]
        waits = any(mask >> (number - 1) & 1 for mask in pending)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_first_signal_drains_and_resume_finishes(tmp_path: Path, server: HeldServer, number: signal.Signals) -> None:
    config = job(tmp_path, server)
    with under_way(config, server) as process:
        process.send_signal(number)
        server.let_go()
        done = finish(process)
    assert done.code == 75
    assert "Work is left. To continue: " in done.err
    assert len(delivered(config)) == len(server.asked) < ROWS
    assert finishes(config)
    assert len(server.asked) == ROWS, "no row was paid twice"


@pytest.mark.slow
def test_a_signal_when_only_the_last_rows_are_in_flight_is_no_reason_to_leave_any(
    tmp_path: Path, server: HeldServer
) -> None:
    write_shard(tmp_path / "in" / "shard.jsonl", persona_lines(IN_FLIGHT))
    config = write_config(tmp_path / "job.toml", server.base_url, provider={"in_flight_max": IN_FLIGHT})
    with under_way(config, server) as process:
        process.send_signal(signal.SIGTERM)
        server.let_go()
        assert finish(process).code in (0, 75)
    assert len(delivered(config)) == IN_FLIGHT
    assert personastream("run", config, "--resume").code == 0


@pytest.mark.slow
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_gives_up_what_is_in_flight(tmp_path: Path, server: HeldServer, second: signal.Signals) -> None:
    config = job(tmp_path, server)
    with under_way(config, server) as process:
        send_and_see_taken(process, signal.SIGINT)
        process.send_signal(second)
        done = finish(process)
    assert done.code == 75
    assert delivered(config) == []
    server.let_go()
    assert finishes(config)


@pytest.mark.slow
def test_a_drain_that_takes_too_long_is_cut_short(tmp_path: Path, server: HeldServer) -> None:
    config = job(tmp_path, server, drain_s_max=0.2)
    with under_way(config, server) as process:
        process.send_signal(signal.SIGTERM)
        assert finish(process, timeout_s=20).code == 75
    assert delivered(config) == []
    server.let_go()
    assert finishes(config)


@pytest.mark.slow
def test_a_drain_does_not_wait_for_turns_under_a_limit(tmp_path: Path, server: HeldServer) -> None:
    config = job(tmp_path, server, drain_s_max=3600)
    with started("run", config, "--set", "provider.requests_per_minute=60") as process:
        server.wait_for(1)
        process.send_signal(signal.SIGTERM)
        server.let_go()
        done = finish(process)
    assert done.code == 75
    assert len(delivered(config)) == len(server.asked) == 1
    assert finishes(config)


@pytest.mark.slow
def test_a_drain_does_not_wait_for_a_server_that_asked_for_a_pause(tmp_path: Path, server: HeldServer) -> None:
    with held_server(lambda _: Answer(429, b"{}", {"retry-after": "500"})) as busy:
        config = job(tmp_path, busy, drain_s_max=3600)
        with under_way(config, busy) as process:
            busy.let_go()
            process.send_signal(signal.SIGTERM)
            assert finish(process).code == 75
    server.let_go()
    assert personastream("run", config, "--resume", "--set", f"provider.base_url={server.base_url}").code == 0
    assert len(delivered(config)) == ROWS


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_before_anything_began_does_no_harm(
    tmp_path: Path, server: HeldServer, number: signal.Signals
) -> None:
    config = job(tmp_path, server)
    with started("run", config) as process:
        process.send_signal(number)
        process.communicate(timeout=30)
    assert process.returncode in (-number, 75)
    server.let_go()
    assert finishes(config)


@pytest.mark.slow
def test_a_second_process_is_refused_and_a_killed_one_leaves_no_lock(tmp_path: Path, server: HeldServer) -> None:
    config = job(tmp_path, server)
    with under_way(config, server) as process:
        for options in ((), ("--resume",)):
            refused = personastream("run", config, *options)
            assert refused.code == 73
            assert f"pid {process.pid} on " in refused.err
            assert "Wait for it, or stop it first." in refused.err
        process.kill()
        process.communicate()
        server.let_go()
    assert finishes(config)
    assert ROWS <= len(server.asked) <= ROWS + IN_FLIGHT


@pytest.mark.slow
def test_a_hung_up_terminal_is_a_kill_like_any_other(tmp_path: Path, server: HeldServer) -> None:
    config = job(tmp_path, server)
    with under_way(config, server) as process:
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=30)
        server.let_go()
    assert finishes(config)
