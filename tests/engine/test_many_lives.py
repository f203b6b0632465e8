"""Runs that end in every way and are taken up again: each row meets its one right end, exactly once."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from random import Random
from typing import Any, BinaryIO
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.core.ledger import Ledger
from personastream.engine.feed import Reading
from personastream.engine.settle import Settle
from personastream.records import Batch, Position
from personastream.testing import MemoryCheckpoints
from tests.support.lives import Simulation, World
from tests.support.virtual import FirstOnly


@given(chance=st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=60)
def test_rows_meet_their_one_right_end_through_any_number_of_lives(chance: Random) -> None:
    Simulation(World.drawn(chance)).run()


@pytest.mark.slow
@given(seed=st.integers(0, 1 << 32))
@settings(deadline=None, max_examples=3000)
def test_rows_meet_their_one_right_end_in_thousands_of_worlds(seed: int) -> None:
    Simulation(World.drawn(Random(seed))).run()
