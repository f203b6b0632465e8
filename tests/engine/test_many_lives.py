"""Runs that end in every way and are taken up again: each row meets its one right end, exactly once."""

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.core.ledger import Ledger
from personastream.engine.feed import Reading
from personastream.engine.settle import Settle
from personastream.errors import DiskFull
from personastream.records import Batch, Position
from personastream.testing import MemoryCheckpoints
from tests.support.effort import tries
from tests.support.lives import Simulation, World


@given(chance=st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=tries(15))
def test_rows_meet_their_one_right_end_through_any_number_of_lives(chance: Random) -> None:
    Simulation(World.drawn(chance)).run()


@pytest.mark.slow
@pytest.mark.timeout(900)
@given(seed=st.integers(0, 1 << 32))
@settings(deadline=None, max_examples=tries(1000))
def test_rows_meet_their_one_right_end_in_a_thousand_worlds(seed: int) -> None:
    Simulation(World.drawn(Random(seed))).run()


class Hasty(MemoryCheckpoints):
    """Takes the newest snapshot, though rows before it are not settled yet."""

    def load(self, not_after: Position, transforms: Any) -> Position:
        return super().load(Position(1 << 30, 0), transforms)


class Forgetful(MemoryCheckpoints):
    """Says where a snapshot was taken, but restores nothing."""

    def load(self, not_after: Position, transforms: Any) -> Position:
        return super().load(not_after, ())


def settled_rows_are_handed_out_again() -> AbstractContextManager[object]:
    return patch.object(Ledger, "stop", 0)


def settled_rows_are_hidden_from_transforms() -> AbstractContextManager[object]:
    thin = Reading._thin

    def thin_late(reading: Reading, batch: Batch) -> Batch:
        ledger = reading._known[batch.shard.index]
        live = [(number, text) for number, text in zip(batch.numbers, batch.texts, strict=True) if number not in ledger]
        numbers, texts = [number for number, _ in live], [text for _, text in live]
        return thin(reading, replace(batch, numbers=numbers, texts=texts))

    return patch.object(Reading, "_thin", thin_late)


def checkpoints_are_dated(shift: Callable[[Batch], int]) -> AbstractContextManager[object]:
    save = Reading._checkpoint

    def save_shifted(reading: Reading, batch: Batch, stateful: Any) -> None:
        save(reading, replace(batch, stop=shift(batch)), stateful)

    return patch.object(Reading, "_checkpoint", save_shifted)


def checkpoints_are_dated_a_batch_early() -> AbstractContextManager[object]:
    return checkpoints_are_dated(lambda batch: batch.start)


def checkpoints_are_dated_a_batch_late() -> AbstractContextManager[object]:
    return checkpoints_are_dated(lambda batch: 2 * batch.stop - batch.start)


def shards_are_sealed_before_their_last_rows_are_committed() -> AbstractContextManager[object]:
    return patch.object(Ledger, "covers", lambda ledger, rows: True)


def rows_are_settled_though_the_disk_was_full() -> AbstractContextManager[object]:
    async def write_once(settle: Settle, write: Callable[[], None]) -> None:
        with suppress(DiskFull):
            await settle._offload(write)

    return patch.object(Settle, "_until_written", write_once)


def workers_never_wait_for_a_commit() -> AbstractContextManager[object]:
    return patch.object(Settle, "full", False)


def a_drain_commits_nothing_more() -> AbstractContextManager[object]:
    close = Settle.close

    def close_empty(settle: Settle) -> None:
        settle._pending.clear()
        close(settle)

    return patch.object(Settle, "close", close_empty)


@pytest.mark.slow
@pytest.mark.parametrize(
    "mutation",
    [
        settled_rows_are_handed_out_again,
        settled_rows_are_hidden_from_transforms,
        checkpoints_are_dated_a_batch_early,
        checkpoints_are_dated_a_batch_late,
        shards_are_sealed_before_their_last_rows_are_committed,
        rows_are_settled_though_the_disk_was_full,
        workers_never_wait_for_a_commit,
        a_drain_commits_nothing_more,
    ],
)
def test_the_simulation_notices_an_engine_with(mutation: Callable[[], AbstractContextManager[object]]) -> None:
    with mutation():
        assert any(fails(seed, MemoryCheckpoints()) for seed in range(150))


@pytest.mark.slow
@pytest.mark.parametrize("checkpoints", [Hasty, Forgetful])
def test_the_simulation_notices_checkpoints_that_are(checkpoints: type[MemoryCheckpoints]) -> None:
    assert any(fails(seed, checkpoints()) for seed in range(150))


def fails(seed: int, checkpoints: MemoryCheckpoints) -> bool:
    try:
        Simulation(World.drawn(Random(seed)), checkpoints).run()
    except Exception:
        return True
    return False
