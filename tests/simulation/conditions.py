"""Under what conditions a seed runs: how much there is to do, on what disk, and how often what goes wrong."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Literal

from tests.support.simulated_content import Medium
from tests.support.simulated_disk import Plan

STEMS = ("personas", "personas-00001", "ü 2")
"""One of them looks like the name of a part."""
CUT_WHEN: tuple[Literal["before", "within", "after"], ...] = ("before", "before", "within", "within", "after")


@dataclass(frozen=True, slots=True)
class Conditions:
    """One run: `rows` of each shard, and sittings of which all but the last are in danger.

    `cut_mean` is the mean number of operations until the process ends; shares are between 0 and 1. `script` sets what
    goes wrong in each sitting but the last, and whether the power was lost before it; without it, chance does.
    """

    rows: tuple[int, ...]
    medium: Medium = field(default_factory=Medium)
    part_bytes_max: int = 16384
    commit_rows_max: int = 7
    long_share: float = 0.1
    sittings: int = 16
    cut_mean: float = 15.0
    power_share: float = 0.7
    full_share: float = 0.33
    fail_share: float = 0.2
    script: tuple[tuple[Plan, bool], ...] = ()

    def starts(self, chance: Random) -> Iterator[tuple[Plan, bool]]:
        """For each sitting what goes wrong in it, and whether the power was lost before it."""
        if self.script:
            yield from self.script
        else:
            for _ in range(self.sittings - 1):
                yield self._plan(chance), chance.random() < self.power_share
        yield Plan(), chance.random() < self.power_share

    def _plan(self, chance: Random) -> Plan:
        plan = Plan(1 + int(chance.expovariate(1 / self.cut_mean)), chance.choice(CUT_WHEN))
        if chance.random() < self.full_share:
            full_from = chance.randint(1, 40)
            plan = replace(plan, full_from=full_from, full_to=full_from + chance.randint(1, 6))
        if chance.random() < self.fail_share:
            plan = replace(plan, fails_at=chance.randint(1, 40))
        return plan


def draw(chance: Random) -> Conditions:
    """Any conditions."""
    shards = chance.choice((1, 2, 2, 3))
    return Conditions(
        rows=tuple(chance.choice((0, 1, *range(5, 25))) for _ in range(shards)),
        medium=_medium(chance),
        part_bytes_max=chance.choice((4096, 8192, 16384, 32768, 1 << 20)),
        commit_rows_max=chance.choice((2, 4, 7)),
        long_share=chance.choice((0.0, 0.1, 0.5)),
        cut_mean=chance.choice((5.0, 12.0, 25.0)),
    )


def _medium(chance: Random) -> Medium:
    return Medium(chance.choice((64, 512, 512, 4096)), harsh=chance.random() < 0.3, keeps_lost=chance.random() < 0.5)
