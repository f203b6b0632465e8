"""One simulator for all tests of the command line that need a server without moods."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.simulated import Simulated, simulated
from tests.support.workspace import persona_lines, write_config, write_shard


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulated]:
    with simulated() as running:
        yield running


@pytest.fixture
def config(tmp_path: Path, simulator: Simulated) -> Path:
    """A configuration of three shards with ten rows each; the run directory is `run` beside it."""
    for number, kind in enumerate(("jsonl", "jsonl.gz", "jsonl.zst")):
        write_shard(tmp_path / "in" / f"shard-{number}.{kind}", persona_lines(10, seed=number))
    return write_config(tmp_path / "job.toml", simulator.base_url)
