"""A service that is killed at any moment, started again, and goes on: with real processes, over a real simulator."""

import signal
import socket
from collections import Counter
from pathlib import Path

import orjson
import pytest

from tests.support.command import personastream
from tests.support.outputs import read_records
from tests.support.served_root import SETTINGS, Served, served
from tests.support.simulated import Simulated, simulated

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

ROWS = 400
STEP = 60
"""Rows between two kills."""


def write_shard(folder: Path) -> None:
    lines = [orjson.dumps({"persona": f"a keeper of {number} lighthouses"}) + b"\n" for number in range(ROWS)]
    (folder / "personas.jsonl").write_bytes(b"".join(lines))


def job(folder: Path, base_url: str, weight: float = 1.0) -> str:
    return f"""
[source]
paths = ["{folder}/personas.jsonl"]
[recipe]
template = "math"
[provider]
base_url = "{base_url}"
model = "my-model"
in_flight_max = 8
[sink]
commit_interval_s = 0.1
[job]
weight = {weight}
"""


def delivered(seen: Served, names: list[str]) -> int:
    return sum(int(seen.job(name)["delivered"]) for name in names)


def submit(seen: Served, folder: Path, service: Simulated, name: str, weight: float = 1.0) -> None:
    seen.call("POST", "/v1/jobs", {"name": name, "config": job(folder, service.base_url, weight)})


def prove_whole(run: Path) -> None:
    """Every row once, and all checksums."""
    ids = Counter(record["id"] for record in read_records(run / "data"))
    assert set(ids.values()) == {1}
    assert ids.keys() == {f"personas:{row}" for row in range(ROWS)}
    assert personastream("verify", run).code == 0


def test_killed_again_and_again_two_jobs_end_with_every_row_once(tmp_path: Path) -> None:
    root, log, names = tmp_path / "root", tmp_path / "log", ["one", "two"]
    write_shard(tmp_path)
    with simulated("--latency", "0.02") as service:
        with served(root, log) as seen:
            for name in names:
                submit(seen, tmp_path, service, name)
            seen.process.send_signal(signal.SIGKILL)  # right behind the answer: it is promised
        reached = 0
        for _ in range(3):
            with served(root, log) as seen:
                enough = reached + STEP
                seen.until(lambda: delivered(seen, names) >= enough)  # noqa: B023 - called before the next turn
                reached = delivered(seen, names)
                seen.process.send_signal(signal.SIGKILL)
        with served(root, log) as seen:
            seen.until(lambda: all(seen.job(name)["state"] == "done" for name in names))
            seen.process.send_signal(signal.SIGTERM)
            assert seen.process.wait(60) == 0
    for name in names:
        prove_whole(root / "runs" / name)
    assert "Traceback" not in log.read_text()


def test_told_to_end_it_drains_and_what_is_left_goes_on_at_the_next_start(tmp_path: Path) -> None:
    root, log = tmp_path / "root", tmp_path / "log"
    write_shard(tmp_path)
    with simulated("--latency", "0.02") as service:
        with served(root, log) as seen:
            submit(seen, tmp_path, service, "math")
            seen.until(lambda: seen.job("math")["delivered"] > 0)
            seen.process.send_signal(signal.SIGTERM)
            assert seen.process.wait(60) == 0
        with served(root, log) as seen:
            seen.until(lambda: seen.job("math")["state"] == "done")
        asked = service.bodies().values()
        assert len(asked) == ROWS
        assert {each["asked"] for each in asked} == {1}
    prove_whole(root / "runs" / "math")


def test_a_file_in_the_inbox_is_taken_once_though_the_service_is_killed_over_it(tmp_path: Path) -> None:
    root, log = tmp_path / "root", tmp_path / "log"
    write_shard(tmp_path)
    with simulated() as service:
        with served(root, log) as seen:
            offered = tmp_path / "math.toml"
            offered.write_text(job(tmp_path, service.base_url))
            kept = offered.read_bytes()
            offered.rename(root / "inbox" / "math.toml")
            seen.until((root / "jobs" / "math" / "job.json").exists)
            seen.process.send_signal(signal.SIGKILL)
        (root / "inbox" / "math.toml").write_bytes(kept)  # as if the kill had come before the file was removed
        with served(root, log) as seen:
            seen.until(lambda: not (root / "inbox" / "math.toml").exists())
            seen.until(lambda: seen.job("math")["state"] == "done")
    prove_whole(root / "runs" / "math")


def test_two_services_do_not_share_a_root(tmp_path: Path) -> None:
    with served(tmp_path / "root", tmp_path / "log"):
        second = personastream("serve", "--root", tmp_path / "root")
    assert (second.code, "another process serves" in second.err) == (73, True)


@pytest.mark.parametrize("damage", ["{", '{"service": 3}', '{"endpoints": {"x": {"in_flight_max": "many"}}}'])
def test_a_damaged_state_is_told_without_a_traceback(tmp_path: Path, damage: str) -> None:
    (tmp_path / "serve.toml").write_text(SETTINGS)
    (tmp_path / "limits.json").write_text(damage)
    done = personastream("serve", "--root", tmp_path)
    assert (done.code, "limits.json" in done.err) == (74, True)


def test_an_address_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listen = f"api.listen=127.0.0.1:{listener.getsockname()[1]}"
        done = personastream("serve", "--root", tmp_path, "--set", listen)
    assert (done.code, "cannot listen" in done.err) == (73, True)
