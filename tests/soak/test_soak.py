"""Two minutes of it: a kill, drains, a reload, a lost endpoint. Memory tells nothing in so short a time."""

from pathlib import Path

import pytest

from tests.soak.__main__ import complaints
from tests.soak.plan import Plan
from tests.soak.story import soak


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_nothing_is_lost_or_doubled_whatever_happens_to_the_service(tmp_path: Path) -> None:
    plan = Plan(tmp_path / "soak", minutes=2.0, in_flight=120, latency_s=3.0)
    picture = tmp_path / "soak.png"
    figures = soak(plan, picture)
    assert complaints(figures) == []
    assert figures["lives"] == 5
    assert figures["drained"] == [0, 0, 0]
    assert sum(told["delivered"] + told["dead"] for told in figures["jobs"].values()) == figures["rows"]
    assert picture.read_bytes().startswith(b"\x89PNG")
