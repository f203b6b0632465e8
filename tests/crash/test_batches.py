"""Killed at any point of a batch's life and resumed, a run pays for no request twice and loses no answer."""

import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import orjson
import pytest

from tests.support.command import environment, finish, personastream, started
from tests.support.killing_proxy import KillingProxy, Moment, Point, killing_proxy
from tests.support.outputs import read_records
from tests.support.simulated import Simulated, simulated
from tests.support.workspace import write_config, write_shard

ROWS, CHUNK = 24, 12
CHUNKS = ROWS // CHUNK
LATENCY_S = 0.4
LIFE_S_MAX = 60.0
ROOT = Path(__file__).parents[2]

CALLS = [
    *[("POST /v1/files", nth) for nth in (1, 2)],
    *[("POST /v1/batches", nth) for nth in (1, 2)],
    *[("GET /v1/batches/*", nth) for nth in (1, 2, 3, 4)],
    *[("GET /v1/files/*/content", nth) for nth in (1, 2)],
]
POINTS = [Point(call, nth, moment) for call, nth in CALLS for moment in ("before", "after")]
ANTHROPIC_CALLS = [
    *[("POST /v1/messages/batches", nth) for nth in (1, 2)],
    *[("GET /v1/messages/batches/*", nth) for nth in (1, 3)],
    *[("GET /v1/messages/batches/*/results", nth) for nth in (1, 2)],
]
ANTHROPIC_POINTS = [Point(call, nth, moment) for call, nth in ANTHROPIC_CALLS for moment in ("before", "after")]
PAID = ("bodies_generated", "bodies_generated_again", "batches", "batch_rows")
SYNCS = 1 + 9 * CHUNKS
"""The folder of all; of each chunk its folder's name, then requests, intent, batch and answers, each with its name."""


class Job:
    """A run, the simulator behind it, and the proxy between them. No other run asks for the same."""

    numbers = count()

    def __init__(self, folder: Path, server: Simulated, proxy: KillingProxy, kind: str) -> None:
        self.folder, self.server, self.proxy = folder, server, proxy
        number = next(self.numbers)
        lines = [orjson.dumps({"persona": f"Number {row} of the people of run {number}"}) for row in range(ROWS)]
        write_shard(folder / "in" / "shard.jsonl.zst", lines)
        self.config = write_config(
            folder / "job.toml",
            proxy.base_url,
            provider={
                "type": kind,
                "in_flight_max": ROWS,
                "batch_requests": CHUNK,
                "poll_s": 0.05,
                "collect_s": 1.0,
            },
            sink={"commit_interval_s": 0.05},
        )
        self.before = server.stats()

    def live(self, point: Point | None = None, sync: tuple[int, str] = (0, "")) -> bool:
        """One life; whether it came to its own end."""
        script = [sys.executable, "-m", "tests.crash.batch_life", str(sync[0]), sync[1]]
        command = [*script, "run", str(self.config), "--resume", "--progress", "none"]
        with subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            self.proxy.arm(point, process.kill)
            try:
                words = process.communicate(timeout=LIFE_S_MAX)[1].decode()
            finally:
                process.kill()
        assert process.returncode in (0, -9), words
        return process.returncode == 0

    def check(self, *, dead_max: int = 0) -> None:
        """The run has finished; nothing was paid twice, nothing lost."""
        assert personastream("verify", self.folder / "run").code == 0
        delivered = [record["id"] for record in read_records(self.folder / "run" / "data")]
        dead = [record["id"] for record in read_records(self.folder / "run" / "dead")] if dead_max else []
        assert sorted(delivered + dead) == sorted(f"shard:{row}" for row in range(ROWS))
        assert len(dead) <= dead_max
        after = self.server.stats()
        grown = {name: after[name] - self.before[name] for name in PAID}
        assert grown["bodies_generated_again"] == 0
        assert grown["bodies_generated"] == len(delivered)
        if not dead_max:
            assert grown["batches"] == CHUNKS
            assert grown["batch_rows"] == ROWS


@pytest.fixture(scope="module")
def serving() -> Iterator[tuple[Simulated, KillingProxy]]:
    with simulated("--batch-latency", str(LATENCY_S)) as server, killing_proxy(server.base_url) as proxy:
        yield server, proxy


@pytest.fixture
def job(tmp_path: Path, serving: tuple[Simulated, KillingProxy]) -> Job:
    return Job(tmp_path, *serving, "openai_batch")


@pytest.fixture
def anthropic_job(tmp_path: Path, serving: tuple[Simulated, KillingProxy]) -> Job:
    return Job(tmp_path, *serving, "anthropic_batch")


def check_point(job: Job, point: Point) -> None:
    assert not job.live(point), f"{point} was not reached: {job.proxy.calls}"
    assert job.live()
    job.check()


@pytest.mark.slow
def test_a_run_killed_while_a_batch_is_made_finds_out_that_it_was(job: Job) -> None:
    check_point(job, Point("POST /v1/batches", 1, "after"))


@pytest.mark.slow
def test_a_run_that_is_stopped_leaves_its_batches_to_the_next(job: Job) -> None:
    """All of its first batch is under way when the signal comes; a drain need not wait for batches."""
    with started("run", job.config, "--progress", "none", "--set", "limits.drain_s_max=0") as process:
        job.proxy.arm(Point("GET /v1/batches/*", 1, "after"), process.terminate)
        ended = finish(process)
    assert ended.code == 75, ended.err
    assert job.live()
    job.check()


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point.moment} {point.call} {point.nth}")
def test_a_run_killed_at_any_call_pays_nothing_twice(job: Job, point: Point) -> None:
    check_point(job, point)


@pytest.mark.slow
@pytest.mark.parametrize("point", ANTHROPIC_POINTS, ids=lambda point: f"{point.moment} {point.call} {point.nth}")
def test_nor_does_one_whose_batches_have_no_names(anthropic_job: Job, point: Point) -> None:
    check_point(anthropic_job, point)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("sync", range(1, SYNCS + 1))
def test_a_run_killed_at_any_sync_pays_nothing_twice(job: Job, sync: int, moment: Moment) -> None:
    assert not job.live(sync=(sync, moment)), "there are fewer syncs"
    assert job.live()
    job.check()


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_run_killed_life_after_life_at_a_later_call_gets_there(job: Job, moment: Moment) -> None:
    job.server.change(faults={"poison": 0.2}, faults_on=["POST /v1/chat"])
    try:
        lives = next(nth for nth in count(1) if job.live(Point("any", nth, moment)))
    finally:
        job.server.change(faults={}, faults_on=[])
    assert lives > 5
    job.check(dead_max=ROWS // 2)
