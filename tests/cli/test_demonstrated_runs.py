"""Runs whose prompts show demonstrations: personas are inferred once, and resumed runs send what they would have."""

from pathlib import Path

import orjson
import pytest

from tests.support.command import personastream
from tests.support.outputs import read_records
from tests.support.simulated import Simulated, simulated
from tests.support.workspace import persona_lines, write_config, write_shard

pytestmark = pytest.mark.slow

SHOWN = [
    {"text": "Math problem: How many tiles does a roof of 7 by 9 metres take?"},
    {"text": "How many knots does a net of 40 by 60 meshes have?"},
    {"persona": "A lock keeper", "text": "Math problem: In how many ways can 5 boats be locked in pairs?"},
    {"text": "Math problem: " + "How long is the way? " * 9, "persona": None},
]


@pytest.fixture
def job(tmp_path: Path, simulator: Simulated) -> Path:
    write_shard(tmp_path / "in" / "people.jsonl", persona_lines(24))
    write_shard(tmp_path / "shown.jsonl", map(orjson.dumps, SHOWN))
    recipe = {"mode": "persona_few_shot", "demonstrations": "shown.jsonl", "groups": 3}
    return write_config(tmp_path / "job.toml", simulator.base_url, recipe=recipe)


def personas(folder: Path) -> dict[str, str]:
    found: dict[str, str] = orjson.loads((folder / "run" / "demonstrations.json").read_bytes())
    return found


def test_personas_are_inferred_once_and_kept_for_all_sittings(job: Path) -> None:
    with simulated() as mine:
        here = ("--set", f"provider.base_url={mine.base_url}")
        assert personastream("run", job, *here, "--max-rows", "7").code == 75
        inferred = personas(job.parent)
        assert len(inferred) == 3
        assert mine.stats()["arrivals"] == 7 + 3
        assert personastream("run", job, *here, "--resume").code == 0
        assert mine.stats()["arrivals"] == 24 + 3
        assert mine.stats()["repeats"] == 0
    assert personas(job.parent) == inferred
    records = read_records(job.parent / "run" / "data")
    assert {record["meta"]["mode"] for record in records} == {"persona_few_shot"}
    assert len({record["meta"]["demonstrations"] for record in records}) == 3


def test_what_is_missing_alone_is_inferred_again_and_prompts_stay_the_same(job: Path) -> None:
    with simulated("--log", str(job.parent / "log")) as mine:
        here = ("--set", f"provider.base_url={mine.base_url}")
        assert personastream("run", job, *here, "--max-rows", "7").code == 75
        file, kept = job.parent / "run" / "demonstrations.json", personas(job.parent)
        file.write_bytes(orjson.dumps(dict(list(kept.items())[:2])))
        assert personastream("run", job, *here, "--resume").code == 0
        assert mine.stats()["arrivals"] == 24 + 4
    assert personas(job.parent) == kept


def test_a_damaged_file_of_personas_stops_the_run(job: Path) -> None:
    assert personastream("run", job, "--max-rows", "3").code == 75
    (job.parent / "run" / "demonstrations.json").write_bytes(b'{"a": 3}')
    done = personastream("run", job, "--resume")
    assert done.code == 74
    assert "demonstrations.json is damaged" in done.err


def test_a_run_goes_on_with_its_demonstrations_and_no_others(job: Path) -> None:
    assert personastream("run", job, "--max-rows", "3").code == 75
    write_shard(job.parent / "shown.jsonl", map(orjson.dumps, SHOWN[1:]))
    done = personastream("run", job, "--resume")
    assert done.code == 78
    assert "recipe.demonstrations: was" in done.err


def test_a_demonstration_without_a_persona_to_be_found_stops_the_run(job: Path) -> None:
    with simulated("--fault", "off-contract=1") as mine:
        done = personastream("run", job, "--set", f"provider.base_url={mine.base_url}")
    assert done.code == 78
    assert "no persona can be inferred for the demonstration 'Math problem: " in done.err
    assert "Give it a `persona`" in done.err
    assert read_records(job.parent / "run" / "data", open_parts=True) == []


def test_check_shows_a_prompt_without_asking(job: Path) -> None:
    shown = personastream("check", job, "--set", "provider.base_url=http://127.0.0.1:9/v1")
    assert shown.code == 0
    assert "(inferred from the text below when the run starts)" in shown.out
    assert not (job.parent / "run").exists()


def test_a_ceiling_on_spending_holds_for_inference_too(job: Path) -> None:
    money = ("provider.input_price=1000000", "provider.output_price=1000000", "limits.spend_max=10")
    done = personastream("run", job, *(word for one in money for word in ("--set", one)))
    assert done.code == 75
    assert "spend_max" in done.err
    assert not (job.parent / "run" / "demonstrations.json").exists()


def test_a_partner_is_drawn_from_the_input_and_stays_the_same(tmp_path: Path, simulator: Simulated) -> None:
    write_shard(tmp_path / "in" / "people.jsonl", persona_lines(24))
    recipe = {"type": "dialogue", "template": "dialogue"}
    job = write_config(tmp_path / "job.toml", simulator.base_url, recipe=recipe)
    assert personastream("run", job, "--max-rows", "9").code == 75
    first = {record["id"]: record for record in read_records(tmp_path / "run" / "data", open_parts=True)}
    assert personastream("run", job, "--resume").code == 0
    other = personastream("run", job, "--set", f"sink.path={tmp_path / 'other'}")
    assert other.code == 0
    people = [orjson.loads(line)["persona"] for line in persona_lines(24)]
    records = {record["id"]: record for record in read_records(tmp_path / "run" / "data")}
    again = {record["id"]: record["second persona"] for record in read_records(tmp_path / "other" / "data")}
    assert {name: record["second persona"] for name, record in records.items()} == again
    assert all(records[name]["second persona"] == record["second persona"] for name, record in first.items())
    assert all(record["second persona"] in people for record in records.values())
    assert all(record["second persona"] != record["input persona"] for record in records.values())
    assert len(set(again.values())) > 10
