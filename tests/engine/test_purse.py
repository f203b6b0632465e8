"""One ceiling on what all runs spend together: never passed, whatever crashes when, and used to the last request."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.engine.budget import Budget, Purse
from personastream.errors import ConfigError, ExitCode, SpendLimitReached, StorageFailed
from personastream.testing import inline
from tests.support.effort import tries
from tests.support.virtual import on_virtual_clock

T = TypeVar("T")

MOST = 100
WORKERS = 4


@dataclass
class World:
    """Runs that spend, a disk that outlives them, and money that is gone as soon as a request is sent."""

    chance: random.Random
    ceiling: int
    own_ceilings: tuple[int, ...]
    crashing: bool = False
    disk: Counter[str] = field(default_factory=Counter)
    paid: Counter[str] = field(default_factory=Counter)
    committed: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    _wanted: tuple[str, int] = ("", 0)
    purse: Purse = field(init=False)

    async def life(self) -> None:
        """One process, from its start to its end or a crash."""
        self.purse = Purse(self.ceiling)
        for run in map(str, range(len(self.own_ceilings))):
            self.purse.know(run, max(self.disk[run], self.committed[run]))
        with anyio.move_on_after(self.chance.uniform(0.0, 30.0) if self.crashing else 10_000.0):
            async with anyio.create_task_group() as sitting:
                for place, own in enumerate(self.own_ceilings):
                    sitting.start_soon(self._sit, str(place), own)

    async def _sit(self, run: str, own: int) -> None:
        await anyio.sleep(self.chance.uniform(0.0, 10.0))
        budget = Budget(own, self.disk[run], partial(self._want, run), self._offload, WORKERS, self.purse, run)
        with budget.sitting(self.committed[run]):
            async with anyio.create_task_group() as workers:
                for _ in range(WORKERS):
                    workers.start_soon(self._work, run, budget)
            try:
                await budget.close()
            except StorageFailed:
                return

    async def _work(self, run: str, budget: Budget) -> None:
        for _ in range(30):
            most = self.chance.randint(1, MOST)
            cost = self.chance.randint(0, most)
            try:
                await budget.reserve(most)
            except (SpendLimitReached, StorageFailed) as error:
                self.refused += isinstance(error, SpendLimitReached)
                return
            self.paid[run] += cost
            self.check()
            await anyio.sleep(self.chance.choice([0.0, 0.1, 3.0]))
            budget.settle(most, cost)
            self.committed[run] += cost
            self.check()

    def _want(self, run: str, nanos: int) -> None:
        self._wanted = run, nanos

    async def _offload(self, write: Callable[[], T]) -> T:
        """A disk that takes time: a crash or a failure may come before it has written, or after."""
        result, (run, nanos) = write(), self._wanted
        before, fails = self.chance.random() < 0.5, self.crashing and self.chance.random() < 0.05
        if before:
            self._write(run, nanos)
        await anyio.sleep(self.chance.choice([0.0, 0.01, 0.5]))
        if fails:
            raise StorageFailed("no")
        if not before:
            self._write(run, nanos)
        return result

    def _write(self, run: str, nanos: int) -> None:
        self.disk[run] = nanos
        self.check()

    def check(self) -> None:
        """What is gone was written down before, and all that is written down is within the ceiling."""
        assert all(spent <= self.disk[run] for run, spent in self.paid.items())
        assert sum(self.disk.values()) <= self.purse.authorised <= self.ceiling


@settings(max_examples=tries(40), deadline=None)
@given(
    st.integers(0, 2**32),
    st.integers(1, 8_000),
    st.lists(st.sampled_from([0, 500, 2_000, 10**9]), min_size=1, max_size=4),
    st.integers(1, 5),
)
def test_no_crash_and_no_failing_disk_spends_more_than_the_ceiling(
    seed: int, ceiling: int, own_ceilings: list[int], lives: int
) -> None:
    world = World(random.Random(seed), ceiling, tuple(own_ceilings), crashing=True)
    for _ in range(lives):
        on_virtual_clock(world.life)
    assert sum(world.paid.values()) <= sum(world.disk.values()) <= ceiling


@settings(max_examples=tries(20), deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_the_ceiling_is_used_but_for_what_the_next_request_may_cost(seed: int, runs: int) -> None:
    """Nobody keeps what others want: all that was written down ahead is given back in the end."""
    world = World(random.Random(seed), 2_000, (0,) * runs)
    on_virtual_clock(world.life)
    assert world.refused
    spent = sum(world.paid.values())
    assert 2_000 - MOST < spent <= 2_000
    assert spent == sum(world.disk.values()) == world.purse.spent


def budget(purse: Purse, run: str, disk: dict[str, int], ceiling: int = 0, *, priced: bool = True) -> Budget:
    return Budget(ceiling, disk.get(run, 0), partial(disk.__setitem__, run), inline, 1, purse, run, priced=priced)


def test_the_purse_says_that_it_is_empty_and_that_it_is_a_common_one() -> None:
    async def sit() -> None:
        purse, disk = Purse(100), dict[str, int]()
        purse.know("earlier", 60)
        with budget(purse, "now", disk).sitting(0), pytest.raises(SpendLimitReached, match="together") as caught:
            await purse._sitting["now"].reserve(41)
        assert caught.value.exit_code == ExitCode.WORK_LEFT
        assert not disk

    on_virtual_clock(sit)


def test_what_a_run_does_not_need_others_get() -> None:
    async def sit() -> None:
        purse, disk = Purse(100), dict[str, int]()
        first, second = budget(purse, "first", disk), budget(purse, "second", disk)
        with first.sitting(0), second.sitting(0):
            await first.reserve(30)
            assert disk == {"first": 90}  # two requests ahead
            first.settle(30, 10)
            await second.reserve(85)
            assert disk == {"first": 10, "second": 90}
            assert purse.spent == 95
        assert purse.authorised == 100

    on_virtual_clock(sit)


def test_a_ceiling_that_is_raised_wakes_those_who_wait_and_one_that_is_lowered_stops_them() -> None:
    async def sit() -> None:
        purse, disk, done = Purse(100), dict[str, int](), list[int]()
        one = budget(purse, "one", disk)

        async def spend(most: int) -> None:
            await one.reserve(most)
            done.append(most)

        with one.sitting(0):
            await one.reserve(80)
            async with anyio.create_task_group() as waiting:
                waiting.start_soon(spend, 50)
                await anyio.sleep(1.0)
                assert not done
                purse.ceiling = 200
            assert done == [50]
            one.settle(80, 80)
            one.settle(50, 50)
            purse.ceiling = 140
            with pytest.raises(SpendLimitReached):
                await one.reserve(20)
            await one.reserve(10)
            assert disk["one"] <= 140

    on_virtual_clock(sit)


def test_a_ceiling_that_comes_later_counts_what_has_been_spent_without_one() -> None:
    async def sit() -> None:
        purse, disk = Purse(), dict[str, int]()
        one = budget(purse, "one", disk)
        with one.sitting(40):
            assert not one.bounded
            await one.reserve(0)
            one.settle(0, 30)
            assert not disk
            purse.ceiling = 100
            assert purse.spent == 70
            await one.reserve(30)
            assert disk == {"one": 100}
            one.settle(30, 20)
            with pytest.raises(SpendLimitReached):
                await one.reserve(11)
            await one.close()
            assert disk == {"one": 90}

    on_virtual_clock(sit)


def test_a_run_without_prices_and_a_common_ceiling_exclude_each_other() -> None:
    async def sit() -> None:
        purse = Purse()
        with budget(purse, "free", {}, priced=False).sitting(0):
            with pytest.raises(ConfigError, match="free names none"):
                purse.ceiling = 100
            assert purse.ceiling == 0
        purse.ceiling = 100

    on_virtual_clock(sit)


def test_a_run_that_is_gone_counts_no_more() -> None:
    purse = Purse(100)
    purse.know("a", 60)
    purse.know("b", 30)
    purse.forget("a")
    assert purse.authorised == purse.spent == 30
