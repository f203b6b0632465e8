"""`follow = true` as people meet it: a run that waits, is stopped, is killed, and goes on."""

import signal
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests.support.command import finish, personastream, started
from tests.support.outputs import read_records
from tests.support.simulated import Simulated
from tests.support.workspace import persona_lines, write_shard

pytestmark = pytest.mark.slow

CONFIG = """
[source]
paths = ["in/*.jsonl"]
follow = true
follow_s = 0.2
[recipe]
template = "math"
[provider]
base_url = "{base_url}"
model = "simulated"
in_flight_max = 8
[sink]
path = "run"
commit_interval_s = 0.2
"""


@pytest.fixture
def config(tmp_path: Path, simulator: Simulated) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "job.toml").write_text(CONFIG.format(base_url=simulator.base_url))
    return tmp_path / "job.toml"


def until(true: Callable[[], bool]) -> None:
    end_s = monotonic() + 100
    while not true():
        assert monotonic() < end_s
        sleep(0.05)


def delivered(config: Path) -> list[str]:
    data = config.parent / "run" / "data"
    return sorted(record["id"] for record in read_records(data)) if data.exists() else []


def test_a_follower_is_told_to_stop_and_goes_on(config: Path) -> None:
    with started("run", config) as process:
        write_shard(config.parent / "in" / "b.jsonl", persona_lines(12))
        until(lambda: len(delivered(config)) == 12)
        process.send_signal(signal.SIGTERM)
        done = finish(process)
    assert (done.code, "Waiting for more" in done.err, "Work is left. To continue: " in done.err) == (75, True, True)
    write_shard(config.parent / "in" / "a.jsonl", persona_lines(12, seed=1))
    with started("run", config, "--resume", "--progress", "none") as process:
        until(lambda: len(delivered(config)) == 24)
        process.send_signal(signal.SIGINT)
        assert finish(process).code == 75
    assert personastream("verify", config.parent / "run").code == 0
    assert "2  of 2 finished" in personastream("status", config.parent / "run").out


def test_a_follower_that_is_killed_loses_and_doubles_nothing(config: Path, simulator: Simulated) -> None:
    write_shard(config.parent / "in" / "a.jsonl", persona_lines(30))
    for seen in (5, 10, 20):
        with started("run", config, "--resume", "--progress", "none") as process:
            until(lambda seen=seen: simulator.stats()["arrivals"] >= seen)  # type: ignore[misc]
            process.kill()
            process.communicate()
    write_shard(config.parent / "in" / "b.jsonl", persona_lines(10, seed=2))
    with started("run", config, "--resume", "--progress", "none") as process:
        until(lambda: len(delivered(config)) == 40)
        process.send_signal(signal.SIGTERM)
        assert finish(process).code == 75
    assert len(set(delivered(config))) == 40
    assert personastream("verify", config.parent / "run").code == 0


def test_check_of_a_follower_without_shards(config: Path) -> None:
    done = personastream("check", config)
    assert (done.code, "none yet" in done.out) == (0, True)
