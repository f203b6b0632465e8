"""Whole runs against services in trouble, over real HTTP: what is lost, what is paid, what the others do meanwhile."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import finish, personastream, started
from tests.support.outputs import read_records
from tests.support.simulated import Simulated, simulated
from tests.support.workspace import persona_lines, write_config, write_shard

pytestmark = pytest.mark.slow

LATENCY_S, IN_FLIGHT = 0.2, 20
CAPACITY = IN_FLIGHT / LATENCY_S
"""Requests a second that one service can take from us."""
DEAD_S, BACK_WITHIN_S = 30.0, 10.0
POLL_S = 0.05


def until(server: Simulated, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first counters of a server that are as wanted."""
    while not wanted(stats := server.stats()):
        time.sleep(POLL_S)
    return stats


def arrivals_in(server: Simulated, seconds: float) -> float:
    """Requests a second that arrive in the next so many seconds."""
    first = server.stats()
    last = until(server, lambda stats: stats["now_s"] >= first["now_s"] + seconds)
    rate: float = (last["arrivals"] - first["arrivals"]) / (last["now_s"] - first["now_s"])
    return rate


def several(path: Path, servers: list[Simulated]) -> Path:
    """A configuration with a provider for each server."""
    config = write_config(path, "")
    before, _, after = config.read_text().partition("[provider]")
    _, _, rest = after.partition("[sink]")
    tables = "".join(
        f'[[provider]]\nbase_url = "{server.base_url}"\nmodel = "simulated"\nin_flight_max = {IN_FLIGHT}\n'
        'pacing = "fixed"\n\n'
        for server in servers
    )
    config.write_text(f"{before}{tables}[sink]{rest}")
    return config


@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", ["refuse", "drop", "hang"])
def test_one_of_two_services_dies_for_half_a_minute_and_nobody_suffers(tmp_path: Path, how: str) -> None:
    write_shard(tmp_path / "in" / "a.jsonl.zst", persona_lines(12_000))
    options = ("--latency", str(LATENCY_S))
    with simulated(*options) as steady, simulated(*options) as mortal:
        config = several(tmp_path / "job.toml", [steady, mortal])
        extra = ["--set", "provider.0.timeout_s=2", "--set", "provider.1.timeout_s=2"] if how == "hang" else []
        with started("run", config, "--progress", "none", *extra) as process:
            until(mortal, lambda stats: stats["arrivals"] >= 5 * CAPACITY)
            mortal.change(dead_s=DEAD_S, dead_how=how)
            died_s = time.monotonic()
            meanwhile = arrivals_in(steady, DEAD_S - 5.0)
            time_left_s = DEAD_S - (time.monotonic() - died_s)
            until(steady, lambda stats: time.monotonic() >= died_s + DEAD_S + BACK_WITHIN_S)
            back = arrivals_in(mortal, 3.0)
            done = finish(process, timeout_s=120)
    assert done.code == 0, done.err
    assert time_left_s > 0, "the machine was too slow to see anything"
    assert len(read_records(tmp_path / "run" / "data")) == 12_000
    assert not read_records(tmp_path / "run" / "dead")
    assert meanwhile >= 0.95 * CAPACITY, f"{meanwhile:.1f} of {CAPACITY:.0f} requests a second"
    assert back >= 0.8 * CAPACITY, f"{back:.1f} of {CAPACITY:.0f} requests a second"


OWN_FAULTS = {"length", "contract", "empty_content"}
"""Reasons of death that a reply itself gives: the row was asked for again as often as the recipe allows."""


@pytest.mark.timeout(400)
def test_in_a_storm_every_row_ends_for_its_own_reasons_and_few_are_asked_twice(tmp_path: Path) -> None:
    """Three of ten attempts go wrong, in every way that a row or an endpoint can."""
    rows = 1000
    write_shard(tmp_path / "in" / "a.jsonl.zst", persona_lines(rows))
    storm = ("--fault", "any-row-fault=0.15", "--fault", "any-endpoint-fault=0.15", "--retry-after-s", "0.2")
    with simulated("--latency", "0.02", *storm) as server:
        config = write_config(tmp_path / "job.toml", server.base_url, provider={"timeout_s": 1.0, "in_flight_max": 32})
        with started("run", config, "--progress", "none") as process:
            done = finish(process, timeout_s=380)
        asked = server.stats()["arrivals"]
    assert done.code == 0, done.err
    letters = read_records(tmp_path / "run" / "dead")
    assert len(read_records(tmp_path / "run" / "data")) + len(letters) == rows
    assert {letter["reason"] for letter in letters} <= OWN_FAULTS
    assert len(letters) <= 0.02 * rows
    assert asked <= 1.6 * rows
    assert personastream("verify", tmp_path / "run").code == 0
