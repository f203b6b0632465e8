"""Screens through the command: what is configured, shown, dropped, counted and kept as a run's identity."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from personastream.build import build
from personastream.config import load
from personastream.errors import ConfigError
from tests.support.command import personastream
from tests.support.outputs import read_records
from tests.support.simulated import Simulated, simulated
from tests.support.workspace import write_config, write_shard

PERSONAS = [f"A keeper of lock number {number} on a canal" for number in range(12)]
REFUSED = PERSONAS[::4]


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulated]:
    write_shard(tmp_path / "in" / "a.jsonl", [orjson.dumps({"persona": text}) for text in PERSONAS])
    lines = [
        orjson.dumps({"text": text, "reply": "Math problem: As an AI language model, I cannot do sums."})
        for text in REFUSED
    ]
    (tmp_path / "replies.jsonl").write_bytes(b"\n".join(lines))
    with simulated("--replies", tmp_path / "replies.jsonl") as one:
        yield one


def config(folder: Path, simulator: Simulated, **screen: Any) -> Path:
    return write_config(folder / "job.toml", simulator.base_url, screens=[("refusal", screen)])


def ids(records: Sequence[Mapping[str, Any]]) -> set[str]:
    return {record["id"] for record in records}


@pytest.mark.slow
def test_what_a_screen_drops_is_counted_by_its_reason_and_nothing_of_it_is_kept(
    tmp_path: Path, simulator: Simulated
) -> None:
    path = config(tmp_path, simulator)
    done = personastream("run", path, "--progress", "plain")
    assert done.code == 0, done.err
    assert "refusal" in done.err
    run = tmp_path / "run"
    rows = personastream("status", run, "--json").json()["rows"]
    assert (rows["delivered"], rows["dropped"], rows["dead"]) == (9, {"refusal": 3}, {})
    assert personastream("verify", run).code == 0
    assert "refusal" in personastream("status", run).out
    records = read_records(run / "data")
    assert ids(records) == {f"a:{row}" for row in range(12) if row % 4}
    assert b"language model" not in orjson.dumps(records)
    assert simulator.stats()["arrivals"] == 12


@pytest.mark.slow
def test_a_flag_is_in_the_record(tmp_path: Path, simulator: Simulated) -> None:
    assert personastream("run", config(tmp_path, simulator, policy="flag")).code == 0
    flags = {record["id"]: record["meta"].get("screens") for record in read_records(tmp_path / "run" / "data")}
    assert flags == {f"a:{row}": None if row % 4 else {"refusal": ["refusal"]} for row in range(12)}


@pytest.mark.slow
def test_screens_belong_to_what_a_run_is(tmp_path: Path, simulator: Simulated) -> None:
    assert personastream("run", config(tmp_path, simulator)).code == 0
    kept = orjson.loads((tmp_path / "run" / "run.json").read_bytes())["identity"]
    assert kept["screen[0].type"] == "refusal"
    assert kept["screen[0].sample"] == 1.0
    again = personastream("run", config(tmp_path, simulator, sample=0.5), "--resume")
    assert again.code == 78
    assert "screen[0].sample: was 1.0, is now 0.5" in again.err


@pytest.mark.slow
def test_check_shows_screens_with_all_settings_and_where_they_stand(tmp_path: Path, simulator: Simulated) -> None:
    shown = personastream("check", config(tmp_path, simulator, on="both"))
    assert shown.code == 0
    assert '[[screen]]\ntype = "refusal"\non = "both"\npolicy = "drop"\nsample = 1.0' in shown.out
    assert "source → Refusal → Generate" in shown.out
    assert "in flight → Refusal → " in shown.out


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("screen.0.policy=redact", "judges texts as a whole"),
        ("screen.0.type=refusals", "Did you mean `refusal`?"),
        ("screen.0.on=replies", "Did you mean `reply`?"),
        ("screen.0.smaple=1", "Did you mean `sample`?"),
        ("screen.0.type=moderation", "[screen[0]] asks the provider 'moderation', which is not there"),
        ("screen.0.type=moderation", 'Add a [[provider]] with type = "moderation"'),
        ("screen.0.sample=0", "below the minimum"),
        ("screen.0.type=", 'type = "personal_data"'),
        ("provider.reserved=true", "every provider answers only who asks it by name"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, setting: str, says: str) -> None:
    path = write_config(tmp_path / "job.toml", "http://127.0.0.1:9/v1", screens=["refusal"])
    with pytest.raises(ConfigError) as caught:
        build(load(str(path), [setting]))
    assert says in str(caught.value)


CHAT, JUDGE = {"base_url": "http://127.0.0.1:9/v1", "model": "m"}, {"base_url": "http://127.0.0.1:9/v1"}


@pytest.mark.parametrize(
    ("screen", "settings", "providers", "says"),
    [
        ("moderation", {"provider": "judge"}, [{**CHAT, "name": "judge"}], 'type = "moderation"'),
        ("guard_model", {"provider": "moderation"}, [{**JUDGE, "type": "moderation"}], "which is no chat provider"),
        ("named_people", {"provider": "moderation"}, [{**JUDGE, "type": "moderation"}], "which is no chat provider"),
        (
            "moderation",
            {},
            [{**CHAT, "name": "moderation"}, {**JUDGE, "type": "moderation"}],
            "Give each a `name` of its own",
        ),
    ],
    ids=["chat for moderation", "moderation for chat", "moderation for names", "one name for both"],
)
def test_a_provider_that_answers_with_something_else_is_refused(
    tmp_path: Path, screen: str, settings: dict[str, Any], providers: list[dict[str, Any]], says: str
) -> None:
    path = write_config(
        tmp_path / "job.toml", "http://127.0.0.1:9/v1", screens=[(screen, settings)], more_providers=providers
    )
    with pytest.raises(ConfigError) as caught:
        build(load(str(path)))
    assert says in str(caught.value)


def test_a_prompt_that_is_not_there_is_told_with_its_place(tmp_path: Path) -> None:
    path = write_config(tmp_path / "job.toml", "http://127.0.0.1:9/v1", screens=[("guard_model", {"prompt": "x.toml"})])
    with pytest.raises(ConfigError) as caught:
        build(load(str(path)))
    assert f"[screen[0]] prompt = '{tmp_path}/x.toml' cannot be read: No such file" in str(caught.value)
    assert "Errno" not in str(caught.value)
