"""Runs that are scoped: what is not wanted is dropped with its reason, also over a stop, and asks for nothing."""

from pathlib import Path

import orjson
import pyarrow
import pytest
from pyarrow.parquet import write_table

from personastream.core.sampling import Sampling
from tests.support.command import personastream
from tests.support.outputs import read_records
from tests.support.simulated import Simulated
from tests.support.workspace import persona_lines, write_config, write_shard

pytestmark = pytest.mark.slow

ROWS = 200


def rows() -> list[dict[str, object]]:
    return [{**orjson.loads(line), "uuid": f"{at:04x}", "age": at % 90} for at, line in enumerate(persona_lines(ROWS))]


@pytest.mark.parametrize("kind", ["jsonl.zst", "parquet"])
def test_a_scoped_run_asks_for_what_is_wanted_alone(tmp_path: Path, simulator: Simulated, kind: str) -> None:
    (tmp_path / "in").mkdir()
    if kind == "parquet":
        write_table(pyarrow.Table.from_pylist(rows()), tmp_path / "in" / "people.parquet", row_group_size=60)
    else:
        write_shard(tmp_path / "in" / f"people.{kind}", map(orjson.dumps, rows()), 30)
    source = {
        "type": kind.partition(".")[0],
        "paths": [f"in/*.{kind}"],
        "preset": "nemotron",
        "where": "age >= 30 and age < 60",
        "sample": 0.6,
        "sample_seed": 3,
    }
    config = write_config(tmp_path / "job.toml", simulator.base_url, source=source)
    checked = personastream("check", config)
    assert checked.code == 0, checked.err
    stopped = personastream("run", config, "--max-rows", "10")
    assert stopped.code == 75, stopped.err
    done = personastream("run", config, "--resume")
    assert done.code == 0, done.err
    assert personastream("verify", tmp_path / "run").code == 0
    sampled = Sampling(0.6, 3).taken("people", 0, ROWS)
    wanted = [at for at in range(ROWS) if sampled[at] and 30 <= at % 90 < 60]
    told = personastream("status", tmp_path / "run", "--json").json()
    assert told["rows"]["dropped"] == {"sample": sampled.count(False), "where": sampled.count(True) - len(wanted)}
    records = read_records(tmp_path / "run" / "data")
    assert sorted(record["id"] for record in records) == sorted(f"people:{at}" for at in wanted)
    assert all(record["meta"]["origin"] == {"uuid": f"{int(record['id'][7:]):04x}"} for record in records)
    assert told["usage"]["requests"] == len(wanted)


def test_another_scope_is_another_run(tmp_path: Path, simulator: Simulated) -> None:
    write_shard(tmp_path / "in" / "people.jsonl", map(orjson.dumps, rows()))
    config = write_config(tmp_path / "job.toml", simulator.base_url, source={"where": "age > 80"})
    assert personastream("run", config).code == 0
    write_config(config, simulator.base_url, source={"where": "age > 70"})
    done = personastream("run", config, "--resume")
    assert done.code == 78
    assert "source.where: was 'age > 80', is now 'age > 70'" in done.err


def test_a_dedup_job_keeps_rows_that_are_wanted(tmp_path: Path, simulator: Simulated) -> None:
    write_shard(tmp_path / "in" / "people.jsonl", map(orjson.dumps, rows()))
    transforms = ["dedup"]
    config = write_config(
        tmp_path / "job.toml", simulator.base_url, transforms=transforms, source={"where": "age > 80"}
    )
    done = personastream("dedup", "--config", config, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert {row["age"] for row in read_records(tmp_path / "out" / "data")} == set(range(81, 90))
