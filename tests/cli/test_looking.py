"""`check`, `status` and `verify`: what they tell, and that they change nothing."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import personastream, started
from tests.support.held_server import held_server
from tests.support.outputs import fingerprint
from tests.support.simulated import Simulated, simulated
from tests.support.workspace import persona_lines, write_config, write_shard


def status(run: Path) -> Any:
    done = personastream("status", run, "--json")
    assert (done.code, done.err) == (0, "")
    return done.json()


@pytest.mark.slow
def test_check_says_that_a_ceiling_will_not_be_enough(config: Path) -> None:
    prices = ("--set", "provider.input_price=10", "--set", "provider.output_price=10")
    tight = personastream("check", config, *prices, "--set", "limits.spend_max=0.01").out
    assert "will stop at spend_max = 0.01" in tight
    between = personastream("check", config, *prices, "--json").json()["estimate"]
    middle = (between["cost"] + between["cost_most"]) / 2
    assert "may stop at spend_max" in personastream("check", config, *prices, "--set", f"limits.spend_max={middle}").out
    wide = personastream("check", config, *prices, "--set", "limits.spend_max=1000").out
    assert "stop at" not in wide
    assert "at most about" in wide


@pytest.mark.slow
def test_check_shows_what_would_be_done_and_does_nothing(config: Path, simulator: Simulated) -> None:
    before, asked = fingerprint(config.parent), simulator.stats()["arrivals"]
    text = personastream("check", config, "--set", "provider.in_flight_max=5")
    assert (text.code, text.err) == (0, "")
    for words in (
        "in_flight_max = 5",
        "commit_rows_max = 4096",
        "source → Generate × 5 in flight",
        "first prompt:",
        "requests",
        "cost",
    ):
        assert words in text.out
    document = personastream("check", config, "--json").json()
    assert document["config"]["provider"]["model"] == "simulated"
    assert [shard["stem"] for shard in document["shards"]] == ["shard-0", "shard-1", "shard-2"]
    assert document["estimate"]["rows"] == pytest.approx(30, rel=0.5)
    assert "<persona>" in document["estimate"]["first_prompt"]
    assert fingerprint(config.parent) == before
    assert simulator.stats()["arrivals"] == asked


@pytest.mark.slow
def test_status_and_verify_of_a_finished_run(config: Path) -> None:
    run = config.parent / "run"
    assert personastream("run", config).code == 0
    before = fingerprint(run)
    document = status(run)
    assert document["state"] == "finished"
    assert document["rows"] == {"settled": 30, "delivered": 30, "dropped": {}, "dead": {}}
    assert document["usage"]["requests"] == 30
    assert document["shards"] == {"total": 3, "finished": 3, "started": 0}
    verified = personastream("verify", run)
    assert verified.code == 0
    assert "all is well" in verified.out
    assert "= 30 delivered + 0 dropped + 0 dead" in verified.out
    assert fingerprint(run) == before


@pytest.mark.slow
def test_status_as_text_says_the_same(config: Path) -> None:
    assert personastream("run", config, "--max-rows", "12").code == 75
    done = personastream("status", config.parent / "run")
    assert (done.code, done.err) == (0, "")
    assert "(stopped, started 20" in done.out
    assert "1  of 3 finished" in done.out
    assert "= 12 delivered + 0 dropped + 0 dead" in done.out


@pytest.mark.slow
def test_status_while_a_run_is_under_way_and_after_it_was_killed(tmp_path: Path) -> None:
    write_shard(tmp_path / "in" / "shard.jsonl", persona_lines(9))
    run = tmp_path / "run"
    with held_server() as server:
        config = write_config(tmp_path / "job.toml", server.base_url, provider={"in_flight_max": 4})
        with started("run", config) as process:
            server.wait_for(4)
            while not (run / "state" / "live.json").exists():
                assert process.poll() is None
                time.sleep(0.01)
            document = status(run)
            assert document["state"] == "running"
            assert document["live"]["in_flight"] == 4
            assert document["live"]["pid"] == process.pid
            text = personastream("status", run).out
            assert f"(process {process.pid})" in text
            process.kill()
            process.communicate()
    document = status(run)
    assert (document["state"], document["live"]) == ("stopped", None)


@pytest.mark.slow
def test_status_and_verify_may_look_at_any_time(tmp_path: Path) -> None:
    for number in range(2):
        write_shard(tmp_path / "in" / f"shard-{number}.jsonl.zst", persona_lines(400, number))
    sink = {"commit_rows_max": 2, "part_bytes_max": 1 << 16}
    looks, settled = 0, 0
    with simulated("--latency", "0.05") as server:
        config = write_config(
            tmp_path / "job.toml", server.base_url, provider={"in_flight_max": 16}, sink=sink, limits={}
        )
        with started("run", config, "--progress", "none") as process:
            while process.poll() is None:
                if (tmp_path / "run" / "run.json").exists():
                    now = status(tmp_path / "run")["rows"]["settled"]
                    assert now >= settled, "what is settled stays settled"
                    verified = personastream("verify", tmp_path / "run")
                    assert verified.code == 0, verified.out
                    looks, settled = looks + 1, now
        assert process.returncode == 0
    assert looks > 0


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory, simulator: Simulated) -> Path:
    """A run with several parts, dead letters and drops. Not to be changed: copy it."""
    folder = tmp_path_factory.mktemp("finished")
    for number in range(2):
        lines = persona_lines(150, number)
        write_shard(folder / "in" / f"shard-{number}.jsonl", [*lines, lines[0], b"{", b"[]"])
    sink = {"commit_rows_max": 2, "part_bytes_max": 1 << 16}
    provider = {"in_flight_max": 2}
    config = write_config(folder / "job.toml", simulator.base_url, transforms=["dedup"], sink=sink, provider=provider)
    assert personastream("run", config).code == 0
    assert len(list((folder / "run" / "data").iterdir())) > 6
    return folder / "run"


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def _double(path: Path) -> None:
    shutil.copy(path, path.with_name(path.name.replace("shard-0", "shard-7")))


DAMAGE: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "a flipped bit": ("data/shard-0-00001.jsonl.zst", _flip, "data/shard-0-00001.jsonl.zst: "),
    "a dead letter's flipped bit": ("dead/shard-1-00000.jsonl.zst", _flip, "dead/shard-1-00000.jsonl.zst: "),
    "a cut part": ("data/shard-1-00002.jsonl.zst", _cut, "data/shard-1-00002.jsonl.zst: "),
    "a missing part": ("data/shard-0-00001.jsonl.zst", Path.unlink, "parts before it are missing"),
    "missing dead letters": ("dead/shard-0-00000.jsonl.zst", Path.unlink, "shard-0"),
    "a foreign part": ("data/shard-0-00000.jsonl.zst", _double, "data/shard-7"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "damage", "words"), DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_is_74_and_the_file_is_named(
    tmp_path: Path, finished_run: Path, name: str, damage: Callable[[Path], object], words: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    damage(run / name)
    before = fingerprint(run)
    verified = personastream("verify", run)
    assert verified.code == 74
    problems = [line for line in verified.out.splitlines() if line.startswith("PROBLEM")]
    assert any(words in line for line in problems), verified.out
    assert "all is well" not in verified.out
    document = personastream("verify", run, "--json")
    assert document.code == 74
    assert len(document.json()["problems"]) == len(problems)
    assert fingerprint(run) == before


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"", b"{}", b'{"format": 99}', b"[]", b"\xff"])
def test_a_damaged_manifest_is_74_for_every_verb(tmp_path: Path, finished_run: Path, content: bytes) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    (run / "run.json").write_bytes(content)
    for verb in ("status", "verify"):
        done = personastream(verb, run)
        assert done.code == 74
        assert "run.json" in done.err


@pytest.mark.slow
def test_a_run_goes_on_after_a_torn_tail_and_stops_at_real_damage(config: Path) -> None:
    run = config.parent / "run"
    for _ in range(2):  # a commit or more each
        assert personastream("run", config, "--resume", "--max-rows", "4").code == 75
    part = run / "data" / "shard-0-00000.jsonl.zst.part"
    whole = part.read_bytes()

    part.write_bytes(whole + whole[:1000])
    verified = personastream("verify", run)
    assert verified.code == 0
    assert "a torn tail of 1000 bytes; the next start cuts it" in verified.out

    part.write_bytes(whole[:100] + b"?" + whole[101:])
    for stopped in (personastream("verify", run), personastream("run", config, "--resume")):
        assert stopped.code == 74
        assert part.name in stopped.out + stopped.err
    assert part.read_bytes() == whole[:100] + b"?" + whole[101:], "damage is left for people to look at"

    part.write_bytes(whole + whole[:1000])
    assert personastream("run", config, "--resume").code == 0
    assert personastream("verify", run).code == 0


@pytest.mark.slow
def test_check_says_that_there_is_no_place_for_the_output(config: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "precious").write_text("mine")
    taken = personastream("check", config, "--set", f"sink.path={tmp_path / 'taken'}")
    assert (taken.code, "but holds precious" in taken.err) == (73, True), taken.err
    inside = personastream("check", config, "--set", f"sink.path={tmp_path / 'taken' / 'precious' / 'run'}")
    assert (inside.code, "precious is no folder" in inside.err) == (73, True), inside.err


@pytest.mark.slow
def test_verify_notes_files_that_others_have_left_among_the_parts(config: Path) -> None:
    assert personastream("run", config).code == 0
    run = config.parent / "run"
    (run / "data" / "copy of shard-0.jsonl.zst").write_bytes(b"")
    done = personastream("verify", run)
    assert (done.code, "note      data/copy of shard-0.jsonl.zst: is no part of this run" in done.out) == (0, True)


@pytest.mark.slow
def test_a_dedup_job_does_not_take_the_folder_of_a_run(config: Path) -> None:
    assert personastream("run", config).code == 0
    run = config.parent / "run"
    shards = str(config.parent / "in" / "*.jsonl*")
    for words in ((), ("--resume",)):
        done = personastream("dedup", shards, "--out", run, *words)
        assert done.code == 73
    assert "holds a run that asks a model, not a dedup job" in done.err
