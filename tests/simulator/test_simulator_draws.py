"""Deterministic randomness."""

import math
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personastream.simulator.draws import QUANTILES, draw, lognormal

numbers = st.integers(0, 2**64 - 1)


@given(numbers, numbers, numbers)
def test_a_draw_depends_on_nothing_but_its_arguments(key: int, number: int, seed: int) -> None:
    first = draw(key, number, seed)
    assert first == draw(key, number, seed)
    assert 0 <= first < 2**64


def test_draws_differ_by_key_number_and_seed() -> None:
    assert len({draw(1, 2, 3), draw(2, 2, 3), draw(1, 1, 3), draw(1, 2, 4), draw(2, 1, 3)}) == 5


@given(st.floats(0, 1000), st.floats(0, 3))
def test_a_lognormal_table_has_the_mean_asked_for_and_ascends(mean: float, sigma: float) -> None:
    table = lognormal(mean, sigma)
    assert len(table) == QUANTILES
    assert fmean(table) == pytest.approx(mean)
    assert list(table) == sorted(table)


def test_a_lognormal_table_has_the_sigma_asked_for() -> None:
    assert pstdev(map(math.log, lognormal(5.0, 0.4))) == pytest.approx(0.4, rel=0.01)


def test_sigma_zero_gives_the_mean_throughout() -> None:
    assert set(lognormal(0.5, 0.0)) == {0.5}
