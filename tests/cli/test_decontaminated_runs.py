"""Runs that keep test texts out: of the input by a transform, of replies by a screen."""

from pathlib import Path

import orjson
import pytest

from tests.support.command import personastream
from tests.support.outputs import read_records
from tests.support.simulated import simulated
from tests.support.workspace import write_config, write_shard

pytestmark = pytest.mark.slow

QUESTION = "Omar waters 14 rows of beans every evening, each with 25 plants. How many plants does he water in a week?"
PERSONAS = [f"A keeper of lock number {number} on a canal" for number in range(20)]


def test_test_texts_neither_go_in_nor_come_out(tmp_path: Path) -> None:
    given = [*PERSONAS, f"Somebody who asks: {QUESTION.upper()}"]
    write_shard(tmp_path / "in" / "a.jsonl", [orjson.dumps({"persona": text}) for text in given])
    test_set = tmp_path / "test.jsonl"
    test_set.write_bytes(orjson.dumps({"question": QUESTION}))
    reply = orjson.dumps({"text": PERSONAS[3], "reply": f"Math problem: {QUESTION.replace(',', '')}"})
    (tmp_path / "replies.jsonl").write_bytes(reply)
    settings = {"against": [str(test_set)]}
    both = {"transforms": [("decontaminate", settings)], "screens": [("decontaminate", settings)]}
    with simulated("--replies", tmp_path / "replies.jsonl") as simulator:
        path = write_config(tmp_path / "job.toml", simulator.base_url, **both)
        done = personastream("run", path)
        assert done.code == 0, done.err
        assert simulator.stats()["arrivals"] == 20
    rows = personastream("status", tmp_path / "run", "--json").json()["rows"]
    assert (rows["delivered"], rows["dropped"], rows["dead"]) == (19, {"contaminated": 2}, {})
    assert "a:3" not in {record["id"] for record in read_records(tmp_path / "run" / "data")}
    assert b"Omar" not in orjson.dumps(read_records(tmp_path / "run" / "data"))
    test_set.write_bytes(orjson.dumps({"question": QUESTION.lower()}))
    assert personastream("run", path, "--resume").code == 0
    test_set.write_bytes(orjson.dumps({"question": QUESTION.replace("14", "15")}))
    other = personastream("run", path, "--resume")
    assert other.code == 78
    assert "transform[0].fingerprint" in other.err
