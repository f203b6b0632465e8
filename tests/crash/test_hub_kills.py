"""The whole hub, from pages to personas over six hops, killed and continued: each stage comes out the same."""

from pathlib import Path
from random import Random

import orjson
import pytest

from tests.crash.dedup_lives import bytes_written
from tests.crash.hub_lives import Hub, orphans
from tests.support.simulated import simulated
from tests.support.workspace import write_shard

PAGES = 60


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hub_killed_on_the_way_is_that_of_an_undisturbed_one(tmp_path: Path) -> None:
    lines = [orjson.dumps({"text": f"Tide table {at}. The harbour opens at {at % 24}."}) for at in range(PAGES)]
    pages = write_shard(tmp_path / "pages.jsonl.zst", lines)
    with simulated("--latency", "0.02") as simulator:
        hub = Hub(tmp_path, pages, simulator, rows_max=100)
        hub.live("undisturbed")
        killed = hub.live_and_be_killed("killed", Random(1), 5, bytes_written(tmp_path / "undisturbed"))
        undisturbed = hub.left("undisturbed")
        assert hub.left("killed") == undisturbed
        assert hub.is_whole("killed")
    assert killed >= 3
    assert [stage.counts.settled > 0 for stage in undisturbed.values()] == [True] * 8
    assert any(stage.counts.dropped.get("sample") for stage in undisturbed.values())
    assert orphans(undisturbed, PAGES, "pages") == []
