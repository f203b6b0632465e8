"""Killed by SIGKILL at random moments and continued, a dedup job leaves what an undisturbed one does, byte for byte."""

from pathlib import Path
from random import Random

import pytest

from tests.crash.dedup_lives import Left, bytes_written, left, live, live_and_be_killed, write_input
from tests.support.command import personastream
from tests.support.effort import tries


def check(folder: Path, seed: int, kills: int, words: tuple[str, ...] = ()) -> int:
    """One job and its twin; returns how often the twin was killed."""
    random = Random(seed)
    write_input(folder, random, shards=3, rows=700)
    live(folder, "undisturbed", *words)
    undisturbed = left(folder, "undisturbed")
    assert_tried(undisturbed)
    killed = live_and_be_killed(folder, "killed", random, kills, bytes_written(folder / "undisturbed"), words)
    assert left(folder, "killed") == undisturbed
    assert personastream("verify", folder / "killed").code == 0
    return killed


def assert_tried(undisturbed: Left) -> None:
    """That there was something to get wrong."""
    assert {reason for outcomes in undisturbed.outcomes for reason in outcomes.dropped} == {"dedup", "near_dedup"}
    assert any(outcomes.dead for outcomes in undisturbed.outcomes)


@pytest.mark.slow
def test_a_job_killed_twice_leaves_what_an_undisturbed_one_leaves(tmp_path: Path) -> None:
    assert check(tmp_path, seed=1, kills=2) > 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_jobs_killed_many_times_leave_what_undisturbed_ones_leave(tmp_path: Path) -> None:
    killed, seed = 0, 100
    while killed < tries(12, 50):
        seed += 1
        words = ("--plan",) if seed % 3 == 0 else ()
        killed += check(tmp_path / str(seed), seed, 12, words)
