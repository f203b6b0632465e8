"""Sealed parts are ordinary files: whatever reads .jsonl.zst reads them as they are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import personastream
from tests.support.simulated import Simulated

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "personas" / "shards"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, simulator: Simulated) -> Path:
    """A finished run over 5,000 real personas."""
    if not SHARED.exists():
        pytest.skip(f"the shared data is not here: {SHARED}")
    folder = tmp_path_factory.mktemp("real")
    config = folder / "job.toml"
    config.write_text(
        f"""
[source]
paths = ["{SHARED}/*.jsonl.zst"]
[[transform]]
type = "dedup"
[[transform]]
type = "near_dedup"
[recipe]
template = "math"
[provider]
base_url = "{simulator.base_url}"
model = "simulated"
[sink]
path = "run"
"""
    )
    done = personastream("run", config, "--progress", "none")
    assert done.code == 0, done.err
    return folder / "run"


def parts(run: Path) -> list[str]:
    return sorted(str(path) for path in (run / "data").glob("*.jsonl.zst"))


def test_real_personas_are_all_delivered_and_the_run_verifies(run: Path) -> None:
    status = personastream("status", run, "--json").json()
    assert status["state"] == "finished"
    assert status["rows"] == {"settled": 5000, "delivered": 5000, "dropped": {}, "dead": {}}
    assert personastream("verify", run).code == 0


def test_zstd_on_the_command_line(run: Path) -> None:
    done = subprocess.run(["zstd", "-dc", *parts(run)], capture_output=True, check=True)
    assert done.stdout.count(b"\n") == 5000
    subprocess.run(["zstd", "-tq", *parts(run)], check=True)


def test_duckdb(run: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="installed by `make test`")
    query = f"select count(*), count(distinct id) from read_json('{run}/data/*.jsonl.zst', format='newline_delimited')"
    assert duckdb.sql(query).fetchall() == [(5000, 5000)]


def test_pandas(run: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="installed by `make test`")
    assert sum(len(pandas.read_json(part, lines=True)) for part in parts(run)) == 5000


def test_polars(run: Path) -> None:
    polars = pytest.importorskip("polars", reason="installed by `make test`")
    assert sum(len(polars.read_ndjson(part)) for part in parts(run)) == 5000


def test_datasets(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="installed by `make test`")
    program = (
        "import sys, datasets\n"
        "rows = datasets.load_dataset('json', data_files=sys.argv[1], split='train', cache_dir=sys.argv[2])\n"
        "print(len(rows), rows[0]['id'])\n"
    )
    command = [sys.executable, "-c", program, f"{run}/data/*.jsonl.zst", str(tmp_path)]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run(command, env=offline, capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "5000"
