"""Two runs in one event loop at one real endpoint, while all about it changes: nothing is lost or asked twice."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest

from personastream.config import load
from personastream.core.ceilings import Ceilings
from personastream.core.spend import NANOS
from personastream.engine.budget import Purse
from personastream.engine.exchange import Exchange, Share
from personastream.engine.shared_endpoint import SharedEndpoint
from personastream.engine.statistics import Statistics
from personastream.engine.stop import Stop
from personastream.errors import ConfigError, SpendLimitReached
from personastream.launch.inline import Outcome, sit
from personastream.launch.spend_file import read_authorised
from personastream.records import Shard
from tests.support.outputs import read_records
from tests.support.simulated import simulated
from tests.support.workspace import persona_lines, write_config, write_shard

ROWS = 300
DEADLINE_S = 120.0


class Silent:
    """Looks away."""

    async def show(self, statistics: Statistics, shards: Sequence[Shard], stop: Stop) -> None:
        await anyio.sleep_forever()


@dataclass
class Job:
    """A run in a folder of its own."""

    folder: Path
    statistics: Statistics = field(default_factory=Statistics)
    outcome: Outcome | None = None

    async def carry(self, share: Share, purse: Purse | None = None) -> None:
        self.outcome = await sit(
            load(str(self.folder / "run.toml")),
            resume=False,
            stop=Stop(),
            statistics=self.statistics,
            watch=Silent(),
            share=share,
            purse=purse,
        )
        share.leave()

    @property
    def finished(self) -> bool:
        return self.outcome is not None and self.outcome.summary.finished


def job(folder: Path, base_url: str, key: Path, rows: int = ROWS, **prices: float) -> Job:
    write_shard(folder / "in" / "a.jsonl", persona_lines(rows, seed=len(folder.name)))
    provider = {"api_key_file": str(key), "in_flight_max": 8, "pacing": "fixed", **prices}
    write_config(folder / "run.toml", base_url, provider=provider)
    return Job(folder)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "key"
    file.write_text("sk-old-0123456789abcdef")
    file.chmod(0o600)
    return file


async def until(is_so: Callable[[], bool]) -> None:
    with anyio.fail_after(DEADLINE_S):
        while not is_so():  # noqa: ASYNC110 - counters set no events
            await anyio.sleep(0.002)


async def _change_everything(exchange: Exchange, shared: SharedEndpoint, share: Share, key: Path) -> None:
    for in_flight_max in (24, 1, 16):
        exchange.change(shared.id, in_flight_max=in_flight_max)
        await until(lambda most=in_flight_max: shared.in_flight == most)  # type: ignore[misc]
    share.held = True
    before = shared.asked.answered
    await until(lambda: shared.asked.answered >= before + 20)
    exchange.change(shared.id, requests_per_minute=3000, tokens_per_minute=10_000_000)
    share.held = False
    await anyio.Path(key).write_text("sk-new-0123456789abcdef")
    assert exchange.renew_keys() == (2, [])
    await until(lambda: shared.asked.answered >= before + 40)
    exchange.impose(shared.id, {"in_flight_max": 12})
    assert shared.ceilings == Ceilings(12)


@pytest.mark.slow
def test_ceilings_keys_and_pauses_change_and_every_row_is_asked_once(tmp_path: Path, key: Path) -> None:
    async def together(jobs: Sequence[Job]) -> None:
        exchange = Exchange(time.monotonic)
        shares = [exchange.join(each.folder.name) for each in jobs]
        with anyio.fail_after(DEADLINE_S):
            async with anyio.create_task_group() as sitting:
                for each, share in zip(jobs, shares, strict=True):
                    sitting.start_soon(each.carry, share)
                await until(lambda: all(each.statistics.answered for each in jobs))
                (shared,) = exchange.endpoints.values()
                assert sorted(shared.jobs) == ["one", "other"]  # whoever was quicker is first
                await _change_everything(exchange, shared, shares[0], key)
        assert shared.asked == (2 * ROWS, 2 * ROWS, 0, 0)
        assert (shared.in_flight, shared.jobs, exchange.shares) == (0, [], [])

    with simulated("--latency", "0.05", "--output-tokens", "20") as server:
        jobs = [job(tmp_path / name, server.base_url, key) for name in ("one", "other")]
        anyio.run(together, jobs)
        assert server.stats()["arrivals"] == 2 * ROWS
    for each in jobs:
        assert each.finished
        ids = [str(record["id"]) for record in read_records(each.folder / "run" / "data")]
        assert len(ids) == len(set(ids)) == ROWS


@pytest.mark.slow
def test_a_common_purse_stops_all_before_it_is_overdrawn(tmp_path: Path, key: Path) -> None:
    purse = Purse(NANOS // 10)
    refused: list[str] = []

    async def carry(each: Job, share: Share) -> None:
        try:
            await each.carry(share, purse)
        except SpendLimitReached:
            refused.append(each.folder.name)

    async def together(jobs: Sequence[Job]) -> None:
        exchange = Exchange(time.monotonic)
        with anyio.fail_after(DEADLINE_S):
            async with anyio.create_task_group() as sitting:
                for each in jobs:
                    sitting.start_soon(carry, each, exchange.join(each.folder.name))

    with simulated("--output-tokens", "20") as server:
        names = "one", "other"
        jobs = [job(tmp_path / name, server.base_url, key, input_price=1.0, output_price=10.0) for name in names]
        anyio.run(together, jobs)
    assert sorted(refused) == ["one", "other"]
    written = [read_authorised(each.folder / "run") for each in jobs]
    assert NANOS // 100 < sum(written) == purse.authorised <= NANOS // 10


def test_without_prices_a_common_ceiling_is_refused(tmp_path: Path, key: Path) -> None:
    free = job(tmp_path / "free", "http://127.0.0.1:1/v1", key, rows=1)
    with pytest.raises(ConfigError, match="needs the prices of every provider"):
        anyio.run(free.carry, Exchange(time.monotonic).join("free"), Purse(NANOS))
