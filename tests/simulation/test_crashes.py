"""The frame log through thousands of crashes, and the proof that a run can be seen again."""

import pytest

from tests.simulation import __main__ as command
from tests.simulation.driver import Tally, simulate
from tests.simulation.mutants import CAUGHT
from tests.support.effort import tries

SEEDS = 40


@pytest.mark.slow
def test_no_crash_breaks_a_promise() -> None:
    total = Tally()
    for seed in range(SEEDS):
        total.add(simulate(seed))
    assert total.crashes > 5 * SEEDS
    assert min(total.power_losses, total.failures, total.full) > SEEDS // 4


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_thousands_of_crashes_break_no_promise(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--seed", "1000000", "--crashes", str(tries(4_000, 20_000))]) == 0
    assert "0 violations" in capsys.readouterr().out


def test_a_seed_says_everything() -> None:
    traces: list[list[str]] = [[], []]
    tallies = [simulate(7, trace=trace.append) for trace in traces]
    assert tallies[0] == tallies[1]
    assert traces[0] == traces[1]
    assert len(traces[0]) > 50


def test_a_violation_is_shown_with_how_to_see_it_again(capsys: pytest.CaptureFixture[str]) -> None:
    mutant = CAUGHT[0]
    with mutant.applied():
        _, problem = command.block(0)
        assert "replay: python -m tests.simulation --seed 0 --trace" in problem
        assert command.main(["--seed", "0", "--trace"]) == 1
    out = capsys.readouterr().out
    assert "VIOLATION" in out
    assert "append data/" in out
