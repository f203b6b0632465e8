"""Runs that deduplicate by meaning, as processes, over real HTTP."""

import time
from pathlib import Path

import orjson
import pytest

from tests.support.command import finish, personastream, started
from tests.support.outputs import read_records
from tests.support.simulated import Simulated
from tests.support.workspace import persona_lines, write_config, write_shard

pytestmark = pytest.mark.slow


def with_meaning(tmp_path: Path, simulator: Simulated) -> Path:
    lines = persona_lines(60)
    again = [orjson.dumps({"persona": orjson.loads(line)["persona"].replace(" who ", " WHO  ")}) for line in lines[:20]]
    write_shard(tmp_path / "in" / "a.jsonl.zst", [*lines, *again])
    transform = ("semantic_dedup", {"base_url": simulator.base_url, "model": "embedding", "similarity_min": 0.97})
    return write_config(tmp_path / "job.toml", simulator.base_url, transforms=[transform], source={"batch_rows": 16})


def test_a_stopped_run_goes_on_and_drops_what_it_would_have_dropped(tmp_path: Path, simulator: Simulated) -> None:
    config = with_meaning(tmp_path, simulator)
    assert personastream("run", config, "--max-rows", "30").code == 75
    done = personastream("run", config, "--resume")
    assert done.code == 0, done.err
    assert "= 60 delivered + 20 dropped + 0 dead" in done.err
    assert "20  semantic_dedup" in done.err
    assert len(read_records(tmp_path / "run" / "data")) == 60
    assert personastream("verify", tmp_path / "run").code == 0


@pytest.mark.parametrize("verb", ["run", "dedup"])
def test_a_signal_ends_the_waiting_for_a_service_that_is_not_there(
    tmp_path: Path, simulator: Simulated, verb: str
) -> None:
    config = with_meaning(tmp_path, simulator)
    text = config.read_text()
    config.write_text(text.replace(simulator.base_url, "http://127.0.0.1:1/v1"))
    words = ("run", config) if verb == "run" else ("dedup", "--config", config, "--out", tmp_path / "run")
    with started(*words) as process:
        begun = tmp_path / "run" / "audit.jsonl"
        while process.poll() is None and not (begun.exists() and b'"started"' in begun.read_bytes()):
            time.sleep(0.05)
        time.sleep(1.0)
        process.terminate()
        done = finish(process, timeout_s=30.0)
    assert done.code == 75, done.err
    config.write_text(text)
    done = personastream(*words, "--resume")
    assert done.code == 0, done.err
    assert "= 60 delivered + 20 dropped + 0 dead" in done.err


def test_check_sends_nothing_to_the_embeddings_service(tmp_path: Path, simulator: Simulated) -> None:
    config = with_meaning(tmp_path, simulator)
    config.write_text(config.read_text().replace(simulator.base_url, "http://127.0.0.1:1/v1"))  # nobody listens there
    assert personastream("check", config).code == 0


def test_a_service_that_is_not_there_stops_the_run_with_69_and_nothing_is_lost(
    tmp_path: Path, simulator: Simulated
) -> None:
    config = with_meaning(tmp_path, simulator)
    text = config.read_text()
    config.write_text(text.replace(simulator.base_url, "http://127.0.0.1:1/v1", 1))
    done = personastream("run", config, "--set", "limits.outage_s_max=1")
    assert done.code == 69, done.err
    assert "Traceback" not in done.err
    config.write_text(text)
    assert personastream("run", config, "--resume").code == 0
