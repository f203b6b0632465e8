"""A ceiling on spending, and a run that is killed again and again: what the server has served never exceeds it."""

import signal
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.support.command import finish, personastream, started
from tests.support.effort import tries
from tests.support.simulated import Simulated, simulated
from tests.support.workspace import persona_lines, write_config, write_shard

KILLS = tries(15, 50)
ROWS = 120 * KILLS
IN_FLIGHT_MAX, COMMIT_ROWS_MAX = 16, 32
INPUT_PRICE, OUTPUT_PRICE = 2.0, 8.0
SPEND_MAX = round(0.24 * KILLS, 2)


def served(server: Simulated) -> float:
    """What the server would charge for all that it has generated, whether anybody has read it or not."""
    stats = server.stats()
    spent: float = stats["generated_input_tokens"] * INPUT_PRICE + stats["generated_output_tokens"] * OUTPUT_PRICE
    return spent / 1e6


def usage(run: Path) -> dict[str, int]:
    found: dict[str, Any] = personastream("status", run, "--json").json()
    spent: dict[str, int] = found["usage"]
    return spent


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kills_do_not_break_the_ceiling_and_usage_adds_up(tmp_path: Path) -> None:
    """Usage misses at most the requests that were in flight or waiting for their commit at the kills."""
    write_shard(tmp_path / "in" / "a.jsonl.zst", persona_lines(ROWS))
    chance, asked = Random(5), 0
    with simulated("--latency", "0.01", "--latency-sigma", "0.5") as server:
        config = write_config(
            tmp_path / "job.toml",
            server.base_url,
            recipe={"max_tokens": 200},
            provider={
                "in_flight_max": IN_FLIGHT_MAX,
                "input_price": INPUT_PRICE,
                "output_price": OUTPUT_PRICE,
            },
            sink={"path": "run", "commit_rows_max": COMMIT_ROWS_MAX, "commit_interval_s": 0.05},
            limits={"spend_max": SPEND_MAX},
        )
        for _ in range(KILLS):
            with started("run", config, "--resume", "--progress", "none") as process:
                wanted = asked + chance.randrange(60)
                while process.poll() is None and server.stats()["arrivals"] < wanted:
                    time.sleep(0.002)
                process.send_signal(signal.SIGKILL)
                process.wait()
            assert process.returncode == -signal.SIGKILL, "the run ended by itself"
            asked = server.stats()["arrivals"]
            assert served(server) <= SPEND_MAX
        with started("run", config, "--resume", "--progress", "none") as process:
            last = finish(process, timeout_s=120)
        assert (last.code, f"spend_max = {SPEND_MAX}" in last.err) == (75, True), last.err
        spent, stats = usage(tmp_path / "run"), server.stats()
        assert served(server) <= SPEND_MAX
        assert spent["authorised_nanos"] <= SPEND_MAX * 1e9
        lost = stats["generated"] - spent["requests"]
        assert 0 <= lost <= KILLS * (IN_FLIGHT_MAX + COMMIT_ROWS_MAX)
        assert served(server) * 1e9 - spent["spend_nanos"] <= spent["authorised_nanos"] - spent["spend_nanos"]
        more = personastream("run", config, "--resume", "--set", f"limits.spend_max={SPEND_MAX + 0.3}")
        assert (more.code, usage(tmp_path / "run")["requests"] > spent["requests"]) == (75, True)
        assert served(server) <= SPEND_MAX + 0.3
    assert personastream("verify", tmp_path / "run").code == 0


@pytest.mark.slow
def test_without_kills_usage_is_what_was_served(tmp_path: Path) -> None:
    write_shard(tmp_path / "in" / "a.jsonl.zst", persona_lines(200))
    with simulated() as server:
        config = write_config(
            tmp_path / "job.toml",
            server.base_url,
            provider={"input_price": INPUT_PRICE, "output_price": OUTPUT_PRICE},
            limits={"spend_max": 100.0},
        )
        done = personastream("run", config)
        assert done.code == 0, done.err
        assert usage(tmp_path / "run")["spend_nanos"] == pytest.approx(served(server) * 1e9, abs=200)
        assert usage(tmp_path / "run")["authorised_nanos"] == usage(tmp_path / "run")["spend_nanos"]


def test_a_ceiling_needs_prices(tmp_path: Path) -> None:
    write_shard(tmp_path / "in" / "a.jsonl.zst", persona_lines(3))
    done = personastream("run", write_config(tmp_path / "job.toml", "http://127.0.0.1:9/v1", limits={"spend_max": 1.0}))
    assert done.code == 78
    assert "input_price" in done.err
