"""A purge from a staged run, killed at random moments, the run then continued: all of it is gone, or none is."""

from pathlib import Path

import pytest

from tests.crash.purge_lives import PurgeLives, live
from tests.support.effort import tries
from tests.support.simulated import simulated

KILLS = tries(3, 30)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_purge_killed_on_the_way_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    with simulated() as simulator:
        lives = PurgeLives(tmp_path)
        lives.prepare(simulator, rows=12)
        tally = live(lives, KILLS, seed=1, to_the_end=False)
    assert tally.problems == []
    assert tally.killed >= KILLS // 2
    assert tally.ends.total() == KILLS
