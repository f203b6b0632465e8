"""A short run in which each operation goes wrong once, in every way; then each one of the next start as well."""

from collections.abc import Callable
from itertools import product

import pytest

from tests.simulation.conditions import Conditions
from tests.simulation.driver import simulate
from tests.support.simulated_content import Medium
from tests.support.simulated_disk import Plan

FOR_EVER = 1 << 30
FAULTS: dict[str, Callable[[int], Plan]] = {
    "the process ends before": lambda at: Plan(at, "before"),
    "the process ends within": lambda at: Plan(at, "within"),
    "the process ends after": lambda at: Plan(at, "after"),
    "the disk is full once": lambda at: Plan(full_from=at, full_to=at + 1),
    "the disk stays full": lambda at: Plan(full_from=at, full_to=FOR_EVER),
    "the device fails": lambda at: Plan(fails_at=at),
}
START_OPERATIONS = 12


def short(seed: int, power_share: float, *script: tuple[Plan, bool]) -> Conditions:
    medium = Medium(harsh=bool(seed & 1), keeps_lost=bool(seed & 2))
    return Conditions((4, 1), medium, 8192, 3, power_share=power_share, long_share=0.3, script=script)


def operations(seed: int) -> range:
    """All operations of an undisturbed run, and one more."""
    lines: list[str] = []
    simulate(seed, short(seed, 0.0, (Plan(), False)), trace=lines.append)
    first = lines[: next(n for n, line in enumerate(lines) if n and line.startswith("---"))]
    return range(1, len(first) + 1)


def test_a_short_run_does_everything_that_a_run_does() -> None:
    lines: list[str] = []
    for seed in range(3):
        simulate(seed, short(seed, 0.0), trace=lines.append)
    done = {" ".join(line.split()[1:-1]) for line in lines if not line.startswith("---")}
    expected = {"make directory", "sync directory", "create", "append", "sync", "rename"}
    assert {words for words in done if words} >= expected
    assert len(operations(0)) > 20


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_whichever_operation_goes_wrong_nothing_is_lost(fault: str) -> None:
    for seed, power_share in ((0, 0.0), (1, 1.0), (2, 1.0), (3, 1.0)):
        for at in operations(seed):
            simulate(seed, short(seed, power_share, (FAULTS[fault](at), False)))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("second", ["the process ends before", "the process ends within", "the device fails"])
@pytest.mark.parametrize("first", [fault for fault in FAULTS if "full" not in fault])
def test_whichever_operation_of_the_next_start_goes_wrong_too_nothing_is_lost(first: str, second: str) -> None:
    for power_lost, at, then in product((False, True), operations(0), range(1, START_OPERATIONS + 1)):
        script = ((FAULTS[first](at), False), (FAULTS[second](then), power_lost))
        simulate(0, short((at + then) % 4, 1.0, *script))
