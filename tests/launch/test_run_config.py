"""A run from its configuration to its outcome, in this process, with a provider that needs no network."""

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import orjson
import pytest
import zstandard

from personastream.build import build
from personastream.config import Config, load
from personastream.engine.statistics import Statistics
from personastream.engine.stop import Stop
from personastream.errors import BadInput, ConfigError, ExitCode, ProviderRejected, RunExists, Unauthorized
from personastream.launch.estimate import estimate
from personastream.launch.inline import Outcome, run_config
from personastream.records import Completion, Request, Shard
from tests.support.adapters import Parrot

ROWS = 40


@dataclass
class Watching:
    """A display that only looks."""

    seen: list[tuple[Statistics, Sequence[Shard]]] = field(default_factory=list)
    ended: bool = False

    async def show(self, statistics: Statistics, shards: Sequence[Shard], stop: Stop) -> None:
        self.seen.append((statistics, shards))
        try:
            await anyio.sleep_forever()
        finally:
            self.ended = True


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two shards with one duplicate and one bad line, and a configuration."""
    lines = [orjson.dumps({"persona": f"a painter of {number} ships"}) + b"\n" for number in range(ROWS - 2)]
    (tmp_path / "a.jsonl").write_bytes(b"".join(lines[:20]) + b"{bad\n")
    (tmp_path / "b.jsonl").write_bytes(b"".join(lines[20:]) + lines[3])
    (tmp_path / "run.toml").write_text(
        """
[source]
paths = ["*.jsonl"]
batch_rows = 8
[[transform]]
type = "dedup"
[recipe]
template = "math"
[provider]
type = "tests.support.adapters:Parrot"
[sink]
path = "out"
"""
    )
    return tmp_path


def config(folder: Path, *settings: str) -> Config:
    return load(str(folder / "run.toml"), settings)


def carry(folder: Path, *settings: str, resume: bool = False, rows_max: int | None = None) -> Outcome:
    return run_config(config(folder, *settings), resume=resume, progress=Watching(), rows_max=rows_max)


def records(folder: Path, kind: str = "data") -> list[dict[str, object]]:
    found = []
    for path in sorted((folder / "out" / kind).glob("*.jsonl.zst")):
        with zstandard.open(path, "rb") as file:
            found += [orjson.loads(line) for line in file.read().splitlines()]
    return found


def test_a_configuration_is_carried_to_its_end(folder: Path) -> None:
    outcome = carry(folder)
    assert outcome.exit_code == ExitCode.DONE
    assert outcome.directory == folder / "out"
    counts = outcome.summary.counts
    assert (counts.delivered, counts.dropped, counts.dead_total, counts.settled) == (38, {"dedup": 1}, 1, ROWS)
    assert len({record["id"] for record in records(folder)}) == 38
    assert [letter["id"] for letter in records(folder, "dead")] == ["a:20"]


def test_sittings_of_a_few_rows_end_with_work_left_until_there_is_none(folder: Path) -> None:
    codes = [carry(folder, resume=True, rows_max=15).exit_code for _ in range(4)]
    assert codes == [ExitCode.WORK_LEFT, ExitCode.WORK_LEFT, ExitCode.DONE, ExitCode.DONE]
    assert len({record["id"] for record in records(folder)}) == len(records(folder)) == 38


def test_a_run_that_exists_is_left_alone(folder: Path) -> None:
    carry(folder, rows_max=5)
    before = {path: path.read_bytes() for path in (folder / "out").rglob("*") if path.is_file() and path.name != "lock"}
    with pytest.raises(RunExists):
        carry(folder)
    after = {path: path.read_bytes() for path in (folder / "out").rglob("*") if path.is_file() and path.name != "lock"}
    assert after == before


def test_a_limit_may_change_between_sittings(folder: Path) -> None:
    carry(folder, rows_max=5)
    assert carry(folder, "provider.in_flight_max=1", "source.batch_rows=3", resume=True).exit_code == ExitCode.DONE


def test_bad_input_begins_no_run(folder: Path) -> None:
    with pytest.raises(BadInput, match="no file matches"):
        carry(folder, "source.paths=['*.parquet.jsonl']")
    assert not (folder / "out" / "run.json").exists()


def test_more_connections_than_the_system_allows_are_refused_before_anything_is_made(folder: Path) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resource, "getrlimit", lambda what: (64, 128))
        with pytest.raises(ConfigError, match="in_flight_max = 100 needs 356 open files; the system allows 128"):
            carry(folder, "provider.in_flight_max=100")
    assert not (folder / "out").exists()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (soft, hard)


def test_the_display_sees_the_run_and_ends_with_it(folder: Path) -> None:
    watching = Watching()
    run_config(config(folder), resume=False, progress=watching)
    ((statistics, shards),) = watching.seen
    assert watching.ended
    assert statistics.committed.settled == ROWS
    assert [shard.stem for shard in shards] == ["a", "b"]


def stopping(signals: int) -> type[Parrot]:
    """A provider that gets the process signalled at its tenth request, and then answers slowly."""

    @dataclass
    class Signalling(Parrot):
        asked: int = field(init=False, default=0)

        async def complete(self, request: Request) -> Completion:
            self.asked += 1
            if self.asked == 10:
                for _ in range(signals):
                    os.kill(os.getpid(), signal.SIGTERM)
            if self.asked >= 10:
                await anyio.sleep(0.05 if signals == 1 else 3600.0)
            return await super().complete(request)

    return Signalling


@pytest.mark.parametrize("signals", [1, 2])
def test_a_signal_drains_and_a_second_one_aborts(folder: Path, monkeypatch: pytest.MonkeyPatch, signals: int) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("tests.support.adapters.Parrot", stopping(signals))
        outcome = carry(folder, "provider.in_flight_max=4")
    assert outcome.exit_code == ExitCode.WORK_LEFT
    delivered = outcome.summary.counts.delivered
    assert 9 <= delivered <= 9 + 4 if signals == 1 else delivered == 9
    assert carry(folder, resume=True).exit_code == ExitCode.DONE
    assert len(records(folder)) == 38


def test_a_fault_that_ends_the_run_closes_the_provider_and_keeps_what_is_done(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []

    @dataclass
    class Rejecting(Parrot):
        asked: int = field(init=False, default=0)

        async def complete(self, request: Request) -> Completion:
            self.asked += 1
            if self.asked > 10:
                raise Unauthorized("no quota")
            return await super().complete(request)

        async def aclose(self) -> None:
            closed.append("closed")

    with monkeypatch.context() as patch:
        patch.setattr("tests.support.adapters.Parrot", Rejecting)
        with pytest.raises(ProviderRejected, match="no quota"):
            carry(folder)
    assert closed == ["closed"]
    assert carry(folder, resume=True).summary.spent.requests == 28


def test_an_estimate_sends_nothing_and_is_near(folder: Path) -> None:
    parts = build(config(folder))
    guess = estimate(parts, parts.source.shards())
    assert guess.rows == pytest.approx(ROWS, rel=0.3)
    assert guess.requests == pytest.approx(38, rel=0.3)
    assert "a painter of 0 ships" in guess.first_prompt
    assert guess.cost is None
    assert 0 < guess.output_tokens <= guess.output_tokens_most
    assert not (folder / "out").exists()
