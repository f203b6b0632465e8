"""`personastream retry` and `personastream reparse`: dead rows are asked again, or their kept replies read again."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.support.command import personastream
from tests.support.held_server import Answer, Asked, HeldServer, held_server
from tests.support.outputs import read_records
from tests.support.simulated import Simulated, simulated
from tests.support.workspace import persona_lines, write_config, write_shard

pytestmark = pytest.mark.slow

TEMPLATE = """
description = "greeting"
user = '''
Greet this person. Start with "Math problem:" or with "Problem:".
<persona>
{persona}
</persona>
'''
[reply]
opening = "Math problem:"
"""


@pytest.fixture
def moody() -> Iterator[Simulated]:
    with simulated() as running:
        yield running


@pytest.fixture
def job(tmp_path: Path, moody: Simulated) -> Path:
    """Two shards of twenty rows and one that cannot be read; duplicates among them."""
    for shard in range(2):
        lines = persona_lines(20, seed=shard)
        write_shard(tmp_path / "in" / f"shard-{shard}.jsonl.zst", [*lines, b'{"no": "persona"}', lines[0]])
    return write_config(tmp_path / "job.toml", moody.base_url, transforms=["dedup"], limits={"dead_share_max": 1.0})


def ids(run: Path) -> list[str]:
    return sorted(record["id"] for record in read_records(run / "data"))


ALL = sorted(f"shard-{shard}:{row}" for shard in range(2) for row in range(20))


def status(run: Path) -> dict[str, object]:
    found: dict[str, object] = personastream("status", run, "--json").json()
    return found


def test_dead_rows_are_asked_again_into_the_same_run_and_only_they(job: Path, moody: Simulated) -> None:
    run = job.parent / "run"
    moody.change(faults={"too-long": 0.5})
    assert personastream("run", job).code == 0
    delivered, asked = ids(run), moody.stats()["arrivals"]
    assert 0 < len(delivered) < 40
    assert status(run)["state"] == "finished"

    moody.change(faults={})
    done = personastream("retry", run, "--progress", "plain")
    assert done.code == 0, done.err
    assert f"{40 - len(delivered)} dead rows will be asked again" in done.err
    assert moody.stats()["arrivals"] - asked == 40 - len(delivered)
    assert ids(run) == ALL
    found = status(run)
    assert found["state"] == "finished"
    assert found["rows"] == {"settled": 44, "delivered": 40, "dropped": {"dedup": 2}, "dead": {"missing_field": 2}}
    assert personastream("verify", run).code == 0
    assert personastream("run", job, "--resume").code == 0
    assert personastream("retry", run).err.startswith("0 dead rows")


def test_rows_may_die_again_and_be_chosen_by_reason(job: Path, moody: Simulated) -> None:
    run = job.parent / "run"
    moody.change(faults={"too-long": 0.4, "badrequest": 0.3})
    assert personastream("run", job).code == 0
    before = status(run)["rows"]["dead"]  # type: ignore[index]
    done = personastream("retry", run, "--reason", "too_long", "--max-rows", "1")
    assert done.code == 64
    done = personastream("retry", run, "--reason", "tooo_long")
    assert done.code == 0
    assert done.err.splitlines()[-1] == "The dead rows of this run died for: bad_request, missing_field, too_long"
    for _ in range(2):
        assert personastream("retry", run, "--reason", "too_long").code == 0
        rows = status(run)["rows"]
        assert rows["settled"] == 44  # type: ignore[index]
        assert personastream("verify", run).code == 0
    moody.change(faults={})
    assert personastream("retry", run, "--reason", "too_long").code == 0
    rows = status(run)["rows"]
    assert "too_long" not in {reason for reason, count in rows["dead"].items() if count}  # type: ignore[index]
    assert rows["dead"]["bad_request"] >= before["bad_request"]  # type: ignore[index]
    assert personastream("retry", run).code == 0
    assert ids(run) == ALL
    assert personastream("verify", run).code == 0


@pytest.mark.parametrize("fault", ["length", "refuse", "off-contract"])
def test_rows_that_died_of_their_reply_are_asked_again(job: Path, moody: Simulated, fault: str) -> None:
    run = job.parent / "run"
    moody.change(faults={fault: 1.0})
    once = ("--set", "recipe.reasks_max=0")
    assert personastream("run", job, *once, "--set", "limits.dead_share_max=1").code == 0
    moody.change(faults={})
    before = moody.stats()["arrivals"]
    assert personastream("retry", run, *once).code == 0
    assert moody.stats()["arrivals"] - before == len(ALL)
    assert ids(run) == ALL


def test_a_retry_that_is_interrupted_is_finished_by_resume(job: Path, moody: Simulated) -> None:
    run = job.parent / "run"
    moody.change(faults={"too-long": 1.0})
    assert personastream("run", job).code == 0
    moody.change(faults={"401": 1.0})
    assert personastream("retry", run).code == 77
    assert status(run)["state"] == "stopped"
    assert personastream("verify", run).code == 0
    moody.change(faults={})
    assert personastream("run", job, "--resume").code == 0
    assert ids(run) == ALL
    assert personastream("verify", run).code == 0


def test_there_is_nothing_to_retry_where_there_is_no_run(tmp_path: Path) -> None:
    done = personastream("retry", tmp_path)
    assert done.code == 65
    assert "holds no run" in done.err


def problem(_: Asked) -> Answer:
    """A reply that breaks the contract as it is at first, and keeps it as it is mended later."""
    message = {"role": "assistant", "content": "Problem: what is left?"}
    usage = {"prompt_tokens": 100, "completion_tokens": 10}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return Answer(200, orjson.dumps({"model": "m", "choices": [choice], "usage": usage}))


@pytest.fixture
def answering() -> Iterator[HeldServer]:
    with held_server(problem) as server:
        server.let_go()
        yield server


def test_a_mended_contract_delivers_replies_that_are_paid_for(tmp_path: Path, answering: HeldServer) -> None:
    write_shard(tmp_path / "in" / "a.jsonl", persona_lines(7))
    template, run = tmp_path / "own.toml", tmp_path / "run"
    template.write_text(TEMPLATE)
    recipe = {"template": "own.toml", "reasks_max": 1}
    config = write_config(tmp_path / "job.toml", answering.base_url, recipe=recipe, limits={"dead_share_max": 1.0})
    assert personastream("run", config).code == 0
    assert status(run)["rows"]["dead"] == {"contract": 7}  # type: ignore[index]
    assert len(answering.asked) == 14

    assert personastream("reparse", run).err.startswith("0 kept replies are good now")
    template.write_text(TEMPLATE.replace('opening = "Math problem:"', 'opening = "Problem:"'))
    refused = personastream("run", config, "--resume")
    assert refused.code == 78
    assert "recipe.contract" in refused.err
    assert "personastream reparse" in refused.err
    done = personastream("reparse", run)
    assert done.code == 0, done.err
    assert done.err.startswith("7 kept replies are good now")
    assert len(answering.asked) == 14
    assert sorted(record["synthesized text"] for record in read_records(run / "data")) == ["Problem: what is left?"] * 7
    assert personastream("verify", run).code == 0
    assert personastream("run", config, "--resume").code == 0


def test_a_changed_prompt_is_no_mended_contract(tmp_path: Path, answering: HeldServer) -> None:
    write_shard(tmp_path / "in" / "a.jsonl", persona_lines(3))
    template = tmp_path / "own.toml"
    template.write_text(TEMPLATE)
    config = write_config(
        tmp_path / "job.toml", answering.base_url, recipe={"template": "own.toml"}, limits={"dead_share_max": 1.0}
    )
    assert personastream("run", config).code == 0
    template.write_text(TEMPLATE.replace("Greet", "Insult"))
    done = personastream("reparse", tmp_path / "run")
    assert done.code == 78
    assert "recipe.template" in done.err


def test_columns_that_are_kept_reach_the_records_also_of_rows_that_died_once(tmp_path: Path, moody: Simulated) -> None:
    people = [orjson.loads(line)["persona"] for line in persona_lines(30)]
    rows = [{"persona": text, "page": {"url": f"https://example.org/{at}"}} for at, text in enumerate(people)]
    write_shard(tmp_path / "in" / "people.jsonl", map(orjson.dumps, rows))
    config = write_config(
        tmp_path / "job.toml", moody.base_url, source={"keep": ["page.url"]}, limits={"dead_share_max": 1.0}
    )
    moody.change(faults={"too-long": 0.5})
    assert personastream("run", config).code == 0
    dead = [letter["id"] for letter in read_records(tmp_path / "run" / "dead")]
    moody.change(faults={})
    assert personastream("retry", tmp_path / "run").code == 0
    origins = {record["id"]: record["meta"]["origin"] for record in read_records(tmp_path / "run" / "data")}
    assert 0 < len(dead) < 30
    assert origins == {f"people:{at}": {"page.url": f"https://example.org/{at}"} for at in range(30)}
