"""Runs with a guard: paused at a cap, whatever was killed in between, and continued when it is raised."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.command import personastream, started
from tests.support.outputs import read_records
from tests.support.simulated import Simulated, simulated
from tests.support.workspace import write_config, write_shard

pytestmark = pytest.mark.slow

ROWS = 400
PERSONAS = [f"A keeper of lock number {number} on a canal" for number in range(ROWS)]
POEM = " ".join(f"line {number} of a ballad that nobody may print again" for number in range(12))
QUICK = {"commit_rows_max": 32, "commit_interval_s": 0.05}


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    """Three replies hold the ballad."""
    replies = tmp_path_factory.mktemp("replies") / "replies.jsonl"
    lines = [orjson.dumps({"text": text, "reply": f"Math problem: {POEM}"}) for text in PERSONAS[20:80:20]]
    replies.write_bytes(b"\n".join(lines))
    with simulated("--replies", replies) as one:
        yield one


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_shard(tmp_path / "in" / "a.jsonl", [orjson.dumps({"persona": text}) for text in PERSONAS])
    (tmp_path / "poem.txt").write_text(POEM.upper())
    return tmp_path


def config(folder: Path, simulator: Simulated, **guard: Any) -> Path:
    return write_config(folder / "job.toml", simulator.base_url, sink=QUICK, guard=guard)


def status(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = personastream("status", folder / "run", "--json").json()
    return told


def size_of(run: Path) -> int:
    """Of all that is committed: it grows by 4 KiB or more with each commit."""
    return sum(path.stat().st_size for path in run.glob("data/*"))


def test_replies_that_repeat_a_protected_text_pause_the_run(folder: Path, simulator: Simulated) -> None:
    path = config(folder, simulator, protected=["poem.txt"])
    done = personastream("run", path, "--progress", "plain")
    assert done.code == 75
    assert "[guard] overlaps_max is passed: replies that repeat protected texts: " in done.err
    assert ", and 0 are allowed, such as a:20" in done.err
    assert "--resume" in done.err
    settled, asked = status(folder)["rows"]["settled"], simulator.stats()["arrivals"]
    assert 20 < settled < ROWS
    again = personastream("run", path, "--resume")
    assert again.code == 75
    assert "overlaps_max is passed" in again.err
    assert (status(folder)["rows"]["settled"], simulator.stats()["arrivals"]) == (settled, asked)
    more = personastream("run", path, "--resume", "--set", "guard.overlaps_max=3")
    assert more.code == 0, more.err
    told = status(folder)["guard"]
    assert (told[0]["setting"], told[0]["value"], told[0]["passed"]) == ("overlaps_max", 3, False)
    assert told[0]["examples"] == ["a:20", "a:40", "a:60"]
    assert "replies that repeat protected texts: 3, and 3 are allowed" in personastream("status", folder / "run").out
    assert personastream("verify", folder / "run").code == 0


def test_replies_that_are_all_alike_pause_the_run(folder: Path, tmp_path: Path) -> None:
    lines = [orjson.dumps({"text": text, "reply": "Math problem: one and one?"}) for text in PERSONAS]
    (tmp_path / "same.jsonl").write_bytes(b"\n".join(lines))
    with simulated("--replies", tmp_path / "same.jsonl") as one:
        done = personastream("run", config(folder, one, near_copies_share_max=0.3, window_replies=200))
        assert done.code == 75
        assert "near_copies_share_max is passed" in done.err
        assert "%, and 30.00% are allowed, such as a:" in done.err
        assert status(folder)["rows"]["settled"] < ROWS


def test_a_ceiling_for_each_model_holds_over_a_kill_and_resumes(folder: Path, simulator: Simulated) -> None:
    path = config(folder, simulator, records_per_model_max=250, near_copies_share_max=1.0)
    slow = ("--set", "provider.requests_per_minute=6000")
    with started("run", path, *slow, stderr=subprocess.DEVNULL) as process:
        while size_of(folder / "run") < 60_000:
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    done = personastream("run", path, "--resume")
    assert done.code == 75, done.err
    assert "records_per_model_max is passed" in done.err
    told = status(folder)
    (reading,) = told["guard"]
    assert 250 < reading["value"] == told["rows"]["delivered"] <= 250 + 32 + 16
    done = personastream("run", path, "--resume", "--set", "guard.records_per_model_max=0")
    assert done.code == 0, done.err
    assert len(read_records(folder / "run" / "data")) == ROWS


def test_what_is_near_a_cap_is_told(folder: Path, simulator: Simulated) -> None:
    path = config(folder, simulator, records_per_model_max=ROWS + 1, output_tokens_per_model_max=10**9)
    done = personastream("run", path, "--progress", "plain")
    assert done.code == 0
    assert "near a cap: records of the model 'simulated': 400, and 401 are allowed" in done.err
    assert "output tokens" not in done.err.partition("near a cap")[2].partition("\n")[0]
    tokens = sum(record["meta"]["usage"]["output_tokens"] for record in read_records(folder / "run" / "data"))
    told = {each["setting"]: each["value"] for each in status(folder)["guard"]}
    assert told["output_tokens_per_model_max"] == tokens


@pytest.mark.parametrize(
    ("guard", "code", "said"),
    [
        ({"protected": ["none.txt"]}, 65, "none.txt"),
        ({"overlap_max": 1}, 78, "Did you mean `overlaps_max`?"),
        ({"overlap_words": 5}, 78, "below the minimum"),
    ],
)
def test_settings_are_checked(folder: Path, simulator: Simulated, guard: dict[str, Any], code: int, said: str) -> None:
    done = personastream("run", config(folder, simulator, **guard))
    assert done.code == code
    assert said in done.err
    assert "Traceback" not in done.err


def test_protected_texts_that_are_not_there_are_told_before_anything_begins(folder: Path, simulator: Simulated) -> None:
    path = config(folder, simulator, protected=["missing/*.txt"])
    for verb in "check", "run":
        refused = personastream(verb, path)
        assert (refused.code, "missing/*.txt" in refused.err) == (65, True), verb
    assert not (folder / "run").exists()
