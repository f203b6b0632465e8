"""Several runs in one event loop: each a coroutine that its caller may stop, cancel and begin again."""

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread
import orjson
import pytest

from personastream.config import load
from personastream.engine.statistics import Statistics
from personastream.engine.stop import Stop
from personastream.errors import ExitCode, RunBusy
from personastream.launch.audit import read_events
from personastream.launch.inline import Outcome, sit
from personastream.launch.run_directory import is_owned, locked
from personastream.records import Completion, Request, Shard
from personastream.settings import setting
from tests.support.adapters import Parrot
from tests.support.outputs import read_records

ROWS = 30


class Gate:
    """Where the requests of `Held` wait. Made inside the event loop."""

    def __init__(self) -> None:
        self.reached, self.opened = anyio.Event(), anyio.Event()
        self.closed_providers = 0


gates: list[Gate] = []


@dataclass
class Held(Parrot):
    """Answers once the gate is open, if it does not fail."""

    fails: bool = setting("Break.", default=False, identity=False)

    async def complete(self, request: Request) -> Completion:
        gates[-1].reached.set()
        await gates[-1].opened.wait()
        if self.fails:
            raise ZeroDivisionError
        return await super().complete(request)

    async def aclose(self) -> None:
        gates[-1].closed_providers += 1


class Silent:
    """Looks away."""

    async def show(self, statistics: Statistics, shards: Sequence[Shard], stop: Stop) -> None:
        await anyio.sleep_forever()


def write_job(folder: Path, provider: str = "tests.support.adapters:Parrot") -> Path:
    folder.mkdir()
    lines = [orjson.dumps({"persona": f"a painter of {number} ships"}) + b"\n" for number in range(ROWS)]
    (folder / "a.jsonl").write_bytes(b"".join(lines))
    (folder / "run.toml").write_text(
        f"""
[source]
paths = ["a.jsonl"]
[[transform]]
type = "dedup"
[recipe]
template = "math"
[provider]
type = "{provider}"
[sink]
path = "out"
"""
    )
    return folder / "run.toml"


HELD = f"{__name__}:Held"


async def carry(config: Path, *settings: str, stop: Stop | None = None, rows_max: int | None = None) -> Outcome:
    return await sit(
        load(str(config), settings),
        resume=True,
        stop=stop or Stop(),
        statistics=Statistics(),
        watch=Silent(),
        rows_max=rows_max,
    )


def in_one_loop(story: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        gates.append(Gate())
        with anyio.fail_after(120):
            await story()
        assert anyio.to_thread.current_default_thread_limiter().borrowed_tokens == 0, "a thread is still at work"
        assert len(anyio.get_running_tasks()) == 1

    anyio.run(limited, backend_options={"use_uvloop": True})


def ids(config: Path) -> list[str]:
    return sorted(record["id"] for record in read_records(config.parent / "out" / "data"))


def test_runs_go_side_by_side(tmp_path: Path) -> None:
    jobs = [write_job(tmp_path / name) for name in ("one", "two", "three")]
    outcomes: list[Outcome] = []

    async def story() -> None:
        async def one(job: Path) -> None:
            outcomes.append(await carry(job))

        async with anyio.create_task_group() as together:
            for job in jobs:
                together.start_soon(one, job)

    in_one_loop(story)
    assert [outcome.exit_code for outcome in outcomes] == [ExitCode.DONE] * 3
    assert {outcome.directory for outcome in outcomes} == {job.parent / "out" for job in jobs}
    for job in jobs:
        assert len(set(ids(job))) == len(ids(job)) == ROWS


def test_a_run_is_nobody_elses_while_it_is_on_and_nobodys_afterwards(tmp_path: Path) -> None:
    job = write_job(tmp_path / "job", HELD)

    async def story() -> None:
        async with anyio.create_task_group() as around:
            around.start_soon(carry, job)
            await gates[-1].reached.wait()
            assert is_owned(job.parent / "out")
            with pytest.raises(RunBusy, match=f"pid {os.getpid()} on "):
                await carry(job)
            gates[-1].opened.set()
        assert not is_owned(job.parent / "out")
        with locked(job.parent / "out"):
            pass

    in_one_loop(story)
    assert len(ids(job)) == ROWS


def test_a_drained_run_goes_on_in_the_same_loop(tmp_path: Path) -> None:
    job = write_job(tmp_path / "job")

    async def story() -> None:
        assert (await carry(job, rows_max=7)).exit_code == ExitCode.WORK_LEFT
        stop = Stop()
        stop.drain()
        assert (await carry(job, stop=stop)).summary.spent.requests == 0
        last = await carry(job)
        assert (last.exit_code, last.summary.spent.requests) == (ExitCode.DONE, ROWS - 7)

    in_one_loop(story)
    assert len(set(ids(job))) == len(ids(job)) == ROWS


def test_a_cancelled_run_lets_go_of_all_it_held(tmp_path: Path) -> None:
    job = write_job(tmp_path / "job", HELD)

    async def story() -> None:
        async with anyio.create_task_group() as around:
            around.start_soon(carry, job)
            await gates[-1].reached.wait()
            around.cancel_scope.cancel()
        assert gates[-1].closed_providers == 1
        gates[-1].opened.set()
        assert (await carry(job)).exit_code == ExitCode.DONE

    in_one_loop(story)
    ends = [event["details"] for event in read_events(job.parent / "out") if event["event"] == "ended"]
    assert [end["exit_code"] for end in ends] == [ExitCode.WORK_LEFT, ExitCode.DONE]


@pytest.mark.parametrize("checkpoints", range(0, 12))
def test_a_run_may_be_cancelled_while_it_starts(tmp_path: Path, checkpoints: int) -> None:
    job = write_job(tmp_path / "job")

    async def story() -> None:
        async with anyio.create_task_group() as around:
            around.start_soon(carry, job)
            for _ in range(checkpoints):
                await anyio.sleep(0.002)
            around.cancel_scope.cancel()
        assert (await carry(job)).exit_code == ExitCode.DONE

    in_one_loop(story)
    assert len(set(ids(job))) == len(ids(job)) == ROWS


def test_a_bug_in_one_run_ends_that_run_alone(tmp_path: Path) -> None:
    bad, good = write_job(tmp_path / "bad", HELD), write_job(tmp_path / "good")

    async def story() -> None:
        async def fails() -> None:
            with pytest.raises(ExceptionGroup):
                await carry(bad, "provider.fails=true")

        async with anyio.create_task_group() as around:
            around.start_soon(fails)
            await gates[-1].reached.wait()
            gates[-1].opened.set()
            assert (await carry(good)).exit_code == ExitCode.DONE
        with locked(bad.parent / "out"):
            pass

    in_one_loop(story)
    assert len(ids(good)) == ROWS
