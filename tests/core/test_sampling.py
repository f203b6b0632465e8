"""A sample is the same however its rows are cut into batches, and has about the size that was asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personastream.core.sampling import Sampling


@given(st.floats(0, 1), st.integers(0, 2**40), st.integers(0, 40), st.integers(-(2**70), 2**70))
def test_a_row_is_in_or_out_by_its_number_alone(share: float, start: int, count: int, seed: int) -> None:
    sampling = Sampling(share, seed)
    whole = sampling.taken("shard", start, count)
    assert whole == [taken for number in range(start, start + count) for taken in sampling.taken("shard", number, 1)]


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.99])
def test_about_the_share_is_taken_and_larger_samples_hold_smaller_ones(share: float) -> None:
    rows = 200_000
    taken = Sampling(share).taken("shard", 0, rows)
    assert sum(taken) == pytest.approx(share * rows, abs=5 * (rows * share * (1 - share)) ** 0.5)
    more = Sampling(min(1.0, share * 1.1)).taken("shard", 0, rows)
    assert all(large for small, large in zip(taken, more, strict=True) if small)


def test_no_row_or_all_rows() -> None:
    assert Sampling(0.0).taken("shard", 0, 1000) == [False] * 1000
    assert Sampling(1.0).taken("shard", 0, 1000) == [True] * 1000


def test_seeds_and_shards_have_samples_of_their_own() -> None:
    samples = [Sampling(0.5, seed).taken(stem, 0, 64) for seed in (0, 1, 2) for stem in ("a", "b")]
    assert len({tuple(sample) for sample in samples}) == 6


def test_a_sample_never_changes() -> None:
    assert [number for number, taken in enumerate(Sampling(0.1, 7).taken("personas-0", 0, 60)) if taken] == [
        7,
        22,
        30,
        32,
        41,
        57,
    ]
