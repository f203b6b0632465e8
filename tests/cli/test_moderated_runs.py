"""A moderation service over HTTP that judges, fails, hangs and talks nonsense: closed and open."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.command import Finished, personastream
from tests.support.held_server import Answer, Asked, held_server
from tests.support.outputs import read_records
from tests.support.simulated import Simulated, simulated
from tests.support.workspace import write_config, write_shard

pytestmark = pytest.mark.slow

ROWS = 30
UNSAFE = {3: "unsafe:violence/graphic=0.8", 7: "unsafe:hate=0.3", 9: "unsafe:sexual unsafe:sexual/minors"}
MODERATIONS = "POST /v1/moderations"


def persona(row: int) -> str:
    return f"A keeper of lock number {row} {UNSAFE.get(row, '')}".strip()


def write_job(
    folder: Path, base_url: str, judge_url: str = "", limits: Mapping[str, Any] | None = None, **screen: Any
) -> Path:
    write_shard(folder / "in" / "a.jsonl", [orjson.dumps({"persona": persona(row)}) for row in range(ROWS)])
    judge = {"type": "moderation", "base_url": judge_url or base_url, "timeout_s": 0.4}
    return write_config(
        folder / "job.toml",
        base_url,
        more_providers=[judge],
        screens=[("moderation", screen)],
        limits={"outage_s_max": 1.0, "dead_share_max": 1.0, **(limits or {})},
    )


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulated]:
    with simulated() as one:
        yield one


@pytest.fixture
def sound(simulator: Simulated) -> Iterator[Simulated]:
    yield simulator
    simulator.change(faults={}, faults_on=[])


def records(folder: Path) -> dict[int, dict[str, Any]]:
    """Delivered records by row."""
    directory = folder / "run" / "data"
    found = read_records(directory, open_parts=True) if directory.exists() else []
    return {int(record["id"].partition(":")[2]): record for record in found}


def letters(folder: Path) -> list[dict[str, Any]]:
    directory = folder / "run" / "dead"
    return read_records(directory, open_parts=True) if directory.exists() else []


def rows_of(folder: Path) -> dict[str, Any]:
    counted: dict[str, Any] = personastream("status", folder / "run", "--json").json()["rows"]
    return counted


def test_what_the_service_flags_is_dropped_by_category(tmp_path: Path, sound: Simulated) -> None:
    done = personastream("run", write_job(tmp_path, sound.base_url, on="row"))
    assert done.code == 0, done.err
    assert rows_of(tmp_path)["dropped"] == {"moderation_violence_graphic": 1, "moderation_sexual_minors": 1}
    assert records(tmp_path).keys() == {*range(ROWS)} - {3, 9}
    assert personastream("verify", tmp_path / "run").code == 0


def test_thresholds_take_the_place_of_its_judgement(tmp_path: Path, sound: Simulated) -> None:
    thresholds = ("--set", 'screen.0.thresholds={hate = 0.25, "violence/graphic" = 0.9}')
    done = personastream("run", write_job(tmp_path, sound.base_url, on="row", policy="flag"), *thresholds)
    assert done.code == 0, done.err
    flags = {row: each["meta"]["screens"] for row, each in records(tmp_path).items() if "screens" in each["meta"]}
    assert flags == {7: {"moderation": ["hate"]}, 9: {"moderation": ["sexual_minors", "sexual"]}}


FAILURES = ["500", "hang"]
NONSENSE = [b"<html>It works!</html>", b'{"results": []}']


@pytest.mark.parametrize("fault", FAILURES)
def test_closed_nothing_goes_out_while_the_service_fails_and_all_does_later(
    tmp_path: Path, sound: Simulated, fault: str
) -> None:
    sound.change(faults={fault: 1.0}, faults_on=[MODERATIONS])
    job = write_job(tmp_path, sound.base_url, on="reply")
    done = personastream("run", job)
    assert done.code == 69, done.err
    assert records(tmp_path) == {}
    assert letters(tmp_path) == []
    sound.change(faults={}, faults_on=[])
    again = personastream("run", job, "--resume")
    assert again.code == 0, again.err
    assert records(tmp_path).keys() == {*range(ROWS)} - {3, 9}
    assert not [each for each in records(tmp_path).values() if "screens" in each["meta"]]


@pytest.mark.parametrize("fault", FAILURES)
def test_open_each_record_that_was_not_judged_says_so(tmp_path: Path, sound: Simulated, fault: str) -> None:
    sound.change(faults={fault: 1.0}, faults_on=[MODERATIONS])
    done = personastream("run", write_job(tmp_path, sound.base_url, on="reply", unavailable="open", patience_s=0.5))
    assert done.code == 0, done.err
    found = records(tmp_path)
    assert found.keys() == {*range(ROWS)}
    assert all(each["meta"]["screens"] == {"moderation": "unscreened"} for each in found.values())


def talks(folder: Path, base_url: str, body: bytes, **screen: Any) -> Finished:
    """A run whose moderation service answers every request like this."""

    def answer(_: Asked) -> Answer:
        return Answer(200, body, {"content-type": "application/json"})

    with held_server(answer, held=False) as judge:
        done = personastream("run", write_job(folder, base_url, judge.base_url, on="reply", **screen))
        assert judge.asked
        return done


@pytest.mark.parametrize("body", NONSENSE)
def test_closed_nonsense_ends_rows_that_can_be_retried(tmp_path: Path, sound: Simulated, body: bytes) -> None:
    done = talks(tmp_path, sound.base_url, body)
    assert done.code == 0, done.err
    assert records(tmp_path) == {}
    assert rows_of(tmp_path)["dead"] == {"unscreened": ROWS}
    kept = [orjson.loads(letter["response"]) for letter in letters(tmp_path)]
    assert {reply["object"] for reply in kept} == {"chat.completion"}, "what is kept is what was paid for"


def test_rows_that_nobody_could_judge_are_judged_when_they_are_retried(tmp_path: Path, sound: Simulated) -> None:
    assert talks(tmp_path, sound.base_url, b"?").code == 0
    job = write_job(tmp_path, sound.base_url, on="reply")
    again = personastream("retry", tmp_path / "run", "--reason", "unscreened")
    assert again.code == 0, again.err
    assert job.exists()
    assert records(tmp_path).keys() == {*range(ROWS)} - {3, 9}
    assert rows_of(tmp_path)["dead"] == {}


def test_open_nonsense_is_no_judgement_either(tmp_path: Path, sound: Simulated) -> None:
    done = talks(tmp_path, sound.base_url, b"<html>", unavailable="open", patience_s=20.0)
    assert done.code == 0, done.err
    found = records(tmp_path)
    assert found.keys() == {*range(ROWS)}
    assert all(each["meta"]["screens"] == {"moderation": "unscreened"} for each in found.values())


def test_a_service_that_fails_now_and_then_lets_nothing_through(tmp_path: Path, sound: Simulated) -> None:
    sound.change(faults={"500": 0.2, "html": 0.1, "malformed": 0.1}, faults_on=[MODERATIONS])
    done = personastream("run", write_job(tmp_path, sound.base_url, limits={"outage_s_max": 60}, on="reply"))
    assert done.code == 0, done.err
    found, dead = records(tmp_path), {int(each["id"].partition(":")[2]) for each in letters(tmp_path)}
    assert found.keys() | dead == {*range(ROWS)} - ({3, 9} - dead)
    assert not [each for each in found.values() if "screens" in each["meta"]]


def test_a_guard_model_is_asked_by_its_name_and_never_for_a_recipe(tmp_path: Path, sound: Simulated) -> None:
    """Its answers are chats like others: only the name tells them apart."""

    def guard(asked: Asked) -> Answer:
        said = orjson.loads(asked.body)
        assert said["model"] == "guard-3"
        content = "unsafe\nS1,S10" if "unsafe:" in said["messages"][-1]["content"] else "safe"
        return Answer(200, orjson.dumps({"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}))

    with held_server(guard, held=False) as judge:
        path = write_job(tmp_path, sound.base_url)
        write_config(
            path,
            sound.base_url,
            more_providers=[{"base_url": judge.base_url, "model": "guard-3", "name": "guard", "reserved": True}],
            screens=[("guard_model", {"on": "row"})],
        )
        before = sound.stats()["arrivals"]
        done = personastream("run", path)
        assert done.code == 0, done.err
        assert len(judge.asked) == ROWS
    assert sound.stats()["arrivals"] - before == ROWS - len(UNSAFE)
    assert rows_of(tmp_path)["dropped"] == {"guard_model_violent_crimes": len(UNSAFE)}
