"""Runs whose input lies in an object store: streamed, resumed by ranges, and never a row lost when it goes away."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pyarrow
import pytest
from pyarrow.parquet import write_table

from tests.support.command import environment, personastream
from tests.support.object_store import ObjectStore, object_store
from tests.support.outputs import read_records
from tests.support.simulated import Simulated
from tests.support.workspace import persona_lines, write_config, write_shard

pytestmark = pytest.mark.slow

ROWS = 400
COUNTED = """
import sys
from personastream.sources import remote_file
from personastream.sources.jsonl import Jsonl
from personastream.sources.parquet import Parquet
fetched, plain = [], remote_file.RemoteFile._range
def counting(self, start, end):
    fetched.append(end - start)
    return plain(self, start, end)
remote_file.RemoteFile._range = counting
url, start, index = sys.argv[1], int(sys.argv[2]), sys.argv[3]
source = Parquet([url]) if url.endswith("parquet") else Jsonl([url], index_dir=index)
(shard,) = source.shards()
print(sum(len(batch.texts) for batch in source.read(shard, start)), sum(fetched), len(fetched), shard.size_bytes)
"""


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    with object_store() as running:
        running.put("personas")
        yield running


def upload(store: ObjectStore, path: Path, name: str) -> str:
    store.put(f"personas/{name}", path.read_bytes())
    return f"s3://personas/{name}"


def test_a_run_over_s3_gives_the_records_of_one_over_files(
    store: ObjectStore, simulator: Simulated, tmp_path: Path
) -> None:
    for number in range(2):
        path = write_shard(tmp_path / "in" / f"shard-{number}.jsonl.zst", persona_lines(ROWS, number), 50)
        upload(store, path, f"in/{path.name}")
    source = {"source": {"paths": ["s3://personas/in/*.jsonl.zst"]}}
    remote = write_config(tmp_path / "remote" / "job.toml", simulator.base_url, **source)
    first = personastream("run", remote, "--max-rows", "250", env=store.env)
    assert first.code == 75, first.err
    rest = personastream("run", remote, "--resume", env=store.env)
    assert rest.code == 0, rest.err
    assert personastream("verify", remote.parent / "run").code == 0
    local = write_config(tmp_path / "job.toml", simulator.base_url)
    assert personastream("run", local).code == 0
    found = [{record["id"]: record["input persona"] for record in read_records(folder / "run" / "data")}
             for folder in (remote.parent, tmp_path)]  # fmt: skip
    assert found[0] == found[1]
    assert len(found[0]) == 2 * ROWS
    manifest = orjson.loads((remote.parent / "run" / "run.json").read_bytes())
    assert [shard["path"] for shard in manifest["shards"]] == [f"s3://personas/in/shard-{n}.jsonl.zst" for n in (0, 1)]


def test_changed_objects_are_refused_on_resume(store: ObjectStore, simulator: Simulated, tmp_path: Path) -> None:
    url = upload(store, write_shard(tmp_path / "in" / "a.jsonl", persona_lines(40)), "changing/a.jsonl")
    config = write_config(tmp_path / "job.toml", simulator.base_url, source={"paths": [url]})
    assert personastream("run", config, "--max-rows", "5", env=store.env).code == 75
    upload(store, write_shard(tmp_path / "in" / "a.jsonl", persona_lines(40, seed=9)), "changing/a.jsonl")
    done = personastream("run", config, "--resume", env=store.env)
    assert done.code == 78
    assert "its content has changed" in done.err


def test_what_is_missing_is_told(store: ObjectStore, simulator: Simulated, tmp_path: Path) -> None:
    for path in ("s3://personas/none.jsonl", "s3://no-such-bucket/a.jsonl", "s3://personas/none/*.jsonl"):
        config = write_config(tmp_path / "job.toml", simulator.base_url, source={"paths": [path]})
        done = personastream("check", config, env=store.env)
        assert done.code == 65, done.err
        assert path in done.err


def counted(store: ObjectStore, url: str, start: int, index: Path) -> tuple[int, int, int, int]:
    command = [sys.executable, "-c", COUNTED, url, str(start), str(index)]
    done = subprocess.run(command, env=environment(store.env), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows, fetched, requests, size = map(int, done.stdout.split())
    return rows, fetched, requests, size


def test_a_resume_fetches_what_is_left(store: ObjectStore, tmp_path: Path) -> None:
    rows = 40_000
    lines = [orjson.dumps({"persona": line.hex()}) for line in persona_lines(rows)]
    lines += [
        orjson.dumps({"persona": f"more {number} {number * 7919 % 104729}"}) for number in range(rows - len(lines))
    ]
    urls = [upload(store, write_shard(tmp_path / "a.jsonl.zst", lines, 2000), "large/a.jsonl.zst")]
    texts = [orjson.loads(line)["persona"] for line in lines]
    write_table(pyarrow.table({"persona": texts, "other": texts}), tmp_path / "a.parquet", row_group_size=4000)
    urls.append(upload(store, tmp_path / "a.parquet", "large/a.parquet"))
    for url in urls:
        whole = counted(store, url, 0, tmp_path / "index")
        assert whole[0] == rows
        assert whole[1] < 1.3 * whole[3]
        rest = counted(store, url, rows * 9 // 10, tmp_path / "index")
        assert rest[0] == rows // 10
        assert rest[1] < 0.35 * whole[3]


def test_a_store_that_goes_away_stops_a_run_and_a_resume_ends_it(simulator: Simulated, tmp_path: Path) -> None:
    path = write_shard(tmp_path / "in" / "a.jsonl.zst", persona_lines(ROWS), 50)
    with object_store() as store:
        store.put("personas")
        url = upload(store, path, "a.jsonl.zst")
        config = write_config(tmp_path / "job.toml", simulator.base_url, source={"paths": [url]})
        assert personastream("run", config, "--max-rows", "100", env=store.env).code == 75
    done = personastream("run", config, "--resume", env=store.env)
    assert done.code == 69, done.err
    assert "cannot be read" in done.err
    with object_store() as store:
        store.put("personas")
        upload(store, path, "a.jsonl.zst")
        assert personastream("run", config, "--resume", env=store.env).code == 0
    assert personastream("verify", tmp_path / "run").code == 0
    assert len(read_records(tmp_path / "run" / "data")) == ROWS
