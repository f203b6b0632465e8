"""Runs that never end: shards that come later are taken when they are whole, in the order in which they come."""

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import orjson
import pytest
import zstandard

from personastream.engine.statistics import Statistics
from personastream.engine.stop import Stop
from personastream.errors import ConfigError, ExitCode, ManifestMismatch, RunError
from personastream.launch.manifest import read_manifest
from personastream.launch.run_directory import locked
from personastream.launch.staged import Job, carry_out
from personastream.stages import Stage, load_stages
from tests.support.outputs import read_records

LONG_AGO_S = 1_700_000_000

ONE = """
[source]
paths = ["in/*.jsonl*"]
follow = true
follow_s = 0.1
[[transform]]
type = "dedup"
[recipe]
template = "math"
[provider]
type = "tests.support.adapters:Parrot"
[sink]
path = "out"
"""

CHAIN = """
[provider]
type = "tests.support.adapters:Parrot"
[sink]
path = "out"
[[stage]]
name = "first"
source = { paths = ["in/*.jsonl*"], follow = true, follow_s = 0.1 }
recipe = { template = "math" }
[[stage]]
name = "thin"
from = "first"
source = { field = "input persona" }
transform = [{ type = "dedup" }]
[[stage]]
name = "last"
from = "thin"
source = { field = "input persona" }
recipe = { template = "math" }
"""


class Silent:
    async def show(self, statistics: Statistics, shards: Sequence[object], stop: Stop) -> None:
        await anyio.sleep_forever()


@dataclass
class Hearing:
    """Counts how often all was done, and wakes whoever waits for it."""

    sittings: list[str] = field(default_factory=list)
    waits: int = 0
    unfinished: Sequence[str] = ()

    def begins(self, stage: Stage) -> tuple[Statistics, Silent]:
        self.sittings.append(stage.name)
        return Statistics(), Silent()

    def ended(self, stage: Stage, end: object) -> None: ...

    def follows(self, unfinished: Sequence[str]) -> None:
        self.waits += not unfinished
        self.unfinished = unfinished


async def until(true: Callable[[], bool]) -> None:
    with anyio.fail_after(120):
        while not true():  # noqa: ASYNC110 - what is waited for lies in files
            await anyio.sleep(0.01)


@asynccontextmanager
async def at_work(config: Path) -> AsyncIterator[tuple[Hearing, Stop, list[ExitCode | RunError]]]:
    """The configuration is carried out meanwhile; at the end it is told to stop."""
    hearing, stop, ends = Hearing(), Stop(), list[ExitCode | RunError]()

    async def carry() -> None:
        try:
            job = Job(load_stages(str(config)))
            ends.append(await carry_out(job, resume=True, stop=stop, audience=hearing))
        except RunError as error:
            ends.append(error)

    async with anyio.create_task_group() as around:
        around.start_soon(carry)
        yield hearing, stop, ends
        stop.drain()


def lines(*numbers: int) -> bytes:
    return b"".join(orjson.dumps({"persona": f"a painter of {number} ships"}) + b"\n" for number in numbers)


def drop(folder: Path, name: str, content: bytes) -> Path:
    """A file that was written long ago, renamed into place."""
    folder.mkdir(exist_ok=True)
    hidden = folder / f".{name}"
    hidden.write_bytes(content)
    os.utime(hidden, (LONG_AGO_S, LONG_AGO_S))
    return hidden.rename(folder / name)


def write_job(folder: Path, text: str) -> Path:
    (folder / "in").mkdir()
    (folder / "job.toml").write_text(text)
    return folder / "job.toml"


def ids(run: Path) -> list[str]:
    return sorted(record["id"] for record in read_records(run / "data"))


def stems(run: Path) -> list[str]:
    manifest = read_manifest(run)
    return [shard.stem for shard in manifest.shards] if manifest else []


def test_shards_are_taken_as_they_come_each_once_and_duplicates_of_earlier_ones_dropped(tmp_path: Path) -> None:
    config, run = write_job(tmp_path, ONE), tmp_path / "out"

    async def story() -> None:
        async with at_work(config) as (hearing, _, ends):
            await until(lambda: hearing.waits == 1)
            assert (hearing.sittings, run.exists()) == ([], False)
            drop(tmp_path / "in", "m.jsonl", lines(0, 1, 2))
            drop(tmp_path / "in", "n.jsonl", lines(1, 3))
            await until(lambda: hearing.waits == 2)
            drop(tmp_path / "in", "a.jsonl", lines(4, 3, 0))
            await until(lambda: hearing.waits == 3)
            with locked(run):  # an idle follower holds nothing
                pass
            assert ends == []
        assert ends == [ExitCode.WORK_LEFT]

    anyio.run(story)
    assert stems(run) == ["m", "n", "a"]
    assert ids(run) == ["a:0", "m:0", "m:1", "m:2", "n:1"]


def test_a_follower_that_begins_again_goes_on_and_decides_as_one_that_had_all_from_the_start(tmp_path: Path) -> None:
    config, run = write_job(tmp_path, ONE), tmp_path / "out"

    async def story() -> None:
        for name, content in (("s0", lines(*range(40))), ("s1", lines(*range(30, 70))), ("s2", lines(*range(90)))):
            drop(tmp_path / "in", f"{name}.jsonl", content)
            async with at_work(config) as (hearing, _, _):
                await until(lambda: hearing.waits == 1)
        whole = tmp_path / "whole.toml"
        whole.write_text(ONE.replace('"out"', '"whole"'))
        async with at_work(whole) as (hearing, _, _):
            await until(lambda: hearing.waits == 1)

    anyio.run(story)
    assert ids(run) == ids(tmp_path / "whole")
    assert len(ids(run)) == 90


@pytest.mark.parametrize("name", ["b.jsonl.zst", "b.jsonl", "b.jsonl.gz", "empty.jsonl"])
def test_a_file_that_is_still_written_is_waited_for(tmp_path: Path, name: str) -> None:
    config, run = write_job(tmp_path, ONE), tmp_path / "out"
    whole = zstandard.compress(lines(5, 6)) if name.endswith("zst") else lines(5, 6)
    path = tmp_path / "in" / name

    async def story() -> None:
        drop(tmp_path / "in", "a.jsonl", lines(0))
        path.write_bytes(b"" if name.startswith("empty") else whole[: len(whole) // 2])
        if name.endswith("zst") or name.startswith("empty"):  # they show that they are not whole, however old
            os.utime(path, (LONG_AGO_S, LONG_AGO_S))
        async with at_work(config) as (hearing, _, _):
            await until(lambda: list(hearing.unfinished) == [str(path)])
            assert stems(run) == ["a"]
            if not name.endswith("gz"):
                drop(tmp_path / "in", name, whole)
                await until(lambda: len(stems(run)) == 2 and len(ids(run)) == 3)

    anyio.run(story)
    assert len(ids(run)) == (1 if name.endswith("gz") else 3)


@pytest.mark.parametrize("change", ["removed", "changed"])
def test_an_old_shard_that_is_no_more_what_it_was_ends_the_run(tmp_path: Path, change: str) -> None:
    config = write_job(tmp_path, ONE)
    told: list[ExitCode | RunError] = []

    async def story() -> None:
        old = drop(tmp_path / "in", "a.jsonl", lines(0, 1))
        drop(tmp_path / "in", "b.jsonl", lines(2))
        async with at_work(config) as (hearing, _, ends):
            await until(lambda: hearing.waits == 1)
            if change == "removed":
                old.unlink()
            else:
                old.write_bytes(lines(7, 8))  # written now: it counts all the same
            await until(lambda: bool(ends))
            told.extend(ends)

    anyio.run(story)
    assert isinstance(told[0], ManifestMismatch)
    assert f"shard a: {'is gone' if change == 'removed' else 'its content has changed'}" in told[0].message


def test_stages_downstream_follow(tmp_path: Path) -> None:
    config, out = write_job(tmp_path, CHAIN), tmp_path / "out"

    async def story() -> None:
        drop(tmp_path / "in", "m.jsonl", lines(0, 1))
        async with at_work(config) as (hearing, _, _):
            await until(lambda: hearing.waits == 1)
            assert hearing.sittings == ["first", "thin", "last"]
            drop(tmp_path / "in", "a.jsonl", lines(1, 2))
            await until(lambda: hearing.waits == 2)
            assert hearing.sittings == ["first", "thin", "last"] * 2

    anyio.run(story)
    assert [stems(out / name) for name in ("first", "thin", "last")] == [
        ["m", "a"],
        ["first.00000", "first.00001"],
        ["thin.00000", "thin.00001"],
    ]
    assert len(ids(out / "first")) == 4
    assert ids(out / "last") == ["thin.00000:0", "thin.00000:1", "thin.00001:0"]


def test_what_cannot_follow_is_refused(tmp_path: Path) -> None:
    config = write_job(tmp_path, CHAIN.replace('{ field = "input persona" }', "{ follow = false }"))
    with pytest.raises(ConfigError, match="reads 'first', which follows"):
        load_stages(str(config))


def test_urls_are_not_followed(tmp_path: Path) -> None:
    config = write_job(tmp_path, ONE.replace("in/*.jsonl*", "https://127.0.0.1:9/*.jsonl"))

    async def story() -> None:
        async with at_work(config) as (_, _, ends):
            await until(lambda: bool(ends))
            assert isinstance(ends[0], ConfigError)
            assert "for folders of this machine" in str(ends[0])

    anyio.run(story)
