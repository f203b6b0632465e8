"""Vectors that mean the same: against a search through all of them, and after a restart."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from personastream.dedup.semantic_index import SemanticIndex, coarse
from tests.support.effort import tries


def planted(seed: int, count: int, dimensions: int = 48) -> NDArray[np.float32]:
    """Vectors of which every third lies near an earlier one, at cosines of 0.8 to 1."""
    chance = np.random.default_rng(seed)
    vectors = chance.normal(size=(count, dimensions)).astype(np.float32)
    for row in range(3, count, 3):
        vectors[row] = vectors[chance.integers(row)] + chance.uniform(0, 0.7) * chance.normal(size=dimensions)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def by_looking_at_all(vectors: NDArray[np.float32], similarity_min: float) -> tuple[list[bool], list[float]]:
    """What is new, and how close to the threshold each decision was."""
    kept: list[int] = []
    new, margins = [], []
    for row, vector in enumerate(vectors):
        nearest = float((vectors[kept] @ vector).max()) if kept else -1.0
        new.append(nearest < similarity_min)
        margins.append(abs(nearest - similarity_min))
        if new[-1]:
            kept.append(row)
    return new, margins


@given(st.integers(0, 2**32))
def test_bytes_point_nearly_the_same_way(seed: int) -> None:
    for vector in planted(seed, 40):
        bytes_of = coarse(vector).astype(np.float32)
        assert float(bytes_of @ vector) / float(np.linalg.norm(bytes_of)) >= 0.999


@settings(max_examples=tries(20))
@given(st.integers(0, 2**32), st.sampled_from([0.85, 0.9, 0.95]))
def test_decisions_are_those_of_a_full_search(seed: int, similarity_min: float) -> None:
    vectors = planted(seed, 120)
    kept_as = np.stack([coarse(vector) for vector in vectors]).astype(np.float32)
    expected, margins = by_looking_at_all(kept_as / np.linalg.norm(kept_as, axis=1, keepdims=True), similarity_min)
    assume(min(margins) >= 1e-5)  # else rounding may decide otherwise, and all that follows with it
    index = SemanticIndex(similarity_min)
    assert [index.insert(vector) for vector in vectors] == expected
    assert len(index) == sum(expected)


def test_what_was_learnt_decides_the_same_after_a_restart() -> None:
    vectors = planted(1, 400)
    whole, first, second = SemanticIndex(0.9), SemanticIndex(0.9), SemanticIndex(0.9)
    expected = [whole.insert(vector) for vector in vectors]
    frames = []
    for vector in vectors[:200]:
        first.insert(vector)
        if len(first) % 7 == 0:
            frames.append(first.learnt())
    frames.append(first.learnt())
    assert first.learnt() == b""
    for frame in frames:
        second.learn(frame)
    assert len(second) == len(first)
    assert [second.insert(vector) for vector in vectors[200:]] == expected[200:]


@pytest.mark.parametrize("records", [b"\x01", b"\x00\x00\x00\x00", b"\x03\x00\x00\x00ab", b"\x05\x00\x00\x00abcde"])
def test_other_bytes_are_no_vectors(records: bytes) -> None:
    index = SemanticIndex(0.9)
    index.insert(np.ones(4, np.float32))
    with pytest.raises(ValueError, match="vectors"):
        index.learn(records)
    assert len(index) == 1


def test_another_length_is_an_error_and_zeros_are_no_neighbours() -> None:
    index = SemanticIndex(0.9)
    assert index.insert(np.zeros(4, np.float32))
    assert index.insert(np.ones(4, np.float32))
    assert not index.insert(2 * np.ones(4, np.float32))
    with pytest.raises(ValueError, match="5 dimensions among those of 4"):
        index.insert(np.ones(5, np.float32))
