from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.dedup import Words, WordWeights, hash_words, simhash, simhash_128
from tests.support.effort import tries
from tests.support.word_rows import word_rows

BOTH_KERNELS = pytest.mark.usefixtures("each_kernel")

MASK = (1 << 64) - 1
HASHES = st.integers(0, MASK)
ROWS = st.lists(st.lists(HASHES, max_size=20), max_size=6)
TEXTS = ["a nurse from Oslo who paints", "a nurse who teaches from Rome", "", "a", "nurse nurse nurse from"]


def fold(value: int, other: int) -> int:
    return (value * other >> 64) ^ (value * other & MASK)


def by_definition(row: list[int], weights: list[int] | None = None, *, pairs: bool = True) -> int:
    weights = weights or [1] * len(row)
    features = [(word, 2 * weight) for word, weight in zip(row, weights, strict=True)]
    if pairs:
        flipped = [fold(a ^ 0x2D358DCCAA6C78A5, b ^ 0x8BB84B93962EACC9) for a, b in pairwise(row)]
        features += [(pair, a + b) for pair, (a, b) in zip(flipped, pairwise(weights), strict=True)]
    half = sum(weight for _, weight in features) / 2
    return sum(1 << bit for bit in range(64) if sum(weight for hash_, weight in features if hash_ >> bit & 1) > half)


@BOTH_KERNELS
@settings(max_examples=tries(40), deadline=None)
@given(rows=ROWS, pairs=st.booleans())
def test_a_bit_is_set_where_more_than_half_of_the_features_have_it(rows: list[list[int]], pairs: bool) -> None:
    assert simhash(word_rows(rows), pairs).tolist() == [by_definition(row, pairs=pairs) for row in rows]


@BOTH_KERNELS
@pytest.mark.parametrize("pairs", [True, False])
def test_rows_of_any_length_follow_the_same_definition(pairs: bool) -> None:
    random = np.random.default_rng(1)
    sizes = [1, 126, 127, 128, 129, 3, 0, 253, 254, 255, 256, 1000, 2]
    rows = [random.integers(0, MASK, size, np.uint64, endpoint=True).tolist() for size in sizes]
    rows += [[MASK] * 400, [0] * 400, [MASK] * 300 + [0] * 301, [MASK] * 127, [MASK] * 64 + [0] * 63]
    assert simhash(word_rows(rows), pairs).tolist() == [by_definition(row, pairs=pairs) for row in rows]


@BOTH_KERNELS
@settings(max_examples=tries(30), deadline=None)
@given(
    rows=st.lists(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 5)), max_size=9), max_size=4),
    pairs=st.booleans(),
)
def test_weights_count_as_that_many_features(rows: list[list[tuple[int, int]]], pairs: bool) -> None:
    """Words 1 to 8 have a weight in the table, 9 that of all others."""
    spread = [word * 0x9E3779B97F4A7C15 & MASK for word in range(10)]
    order = sorted(range(1, 9), key=lambda word: spread[word])
    table = WordWeights(
        np.array([spread[word] for word in order], np.uint64),
        np.array([word / 4 for word in order], np.float32),
        other=0.25,
    )
    words = [[spread[word] for word, _ in row] for row in rows]
    weights = [[word if word < 9 else 1 for word, _ in row] for row in rows]
    expected = [by_definition(row, of, pairs=pairs) for row, of in zip(words, weights, strict=True)]
    assert simhash(word_rows(words), pairs, table).tolist() == expected


@pytest.mark.slow
@BOTH_KERNELS
def test_equal_weights_change_nothing() -> None:
    words = hash_words(TEXTS)
    even = WordWeights(np.empty(0, np.uint64), np.empty(0, np.float32), other=3.7)
    assert (simhash(words, weights=even) == simhash(words)).all()
    assert (simhash_128(words, weights=even) == simhash_128(words)).all()


@pytest.mark.slow
def test_weights_are_given_by_word() -> None:
    words = hash_words(["nurse from Oslo"])
    only_nurse = WordWeights.of({"Nurse": 1.0}, other=0.0)
    assert simhash(words, pairs=False, weights=only_nurse).tolist() == hash_words(["nurse"]).hashes.tolist()
    with pytest.raises(ValueError, match="'two words' is not one word"):
        WordWeights.of({"nurse": 1.0, "two words": 1.0}, other=0.0)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf"), 2.0**21])
def test_weights_out_of_range_are_refused(weight: float) -> None:
    one = np.ones(1, np.uint64)
    with pytest.raises(ValueError, match="from 0 to 2"):
        WordWeights(one, np.array([weight], np.float32), other=1.0)
    with pytest.raises(ValueError, match="from 0 to 2"):
        WordWeights(one, np.ones(1, np.float32), other=weight)


def test_a_table_of_weights_out_of_order_is_refused() -> None:
    with pytest.raises(ValueError, match="ascend"):
        WordWeights(np.array([2, 1], np.uint64), np.ones(2, np.float32), other=1.0)


@BOTH_KERNELS
def test_the_order_of_words_counts_only_with_pairs() -> None:
    words = hash_words(["a nurse teaches a doctor", "a doctor teaches a nurse"])
    assert len(set(simhash(words).tolist())) == 2
    assert len(set(simhash(words, pairs=False).tolist())) == 1


@pytest.mark.slow
def test_a_row_has_the_same_signature_in_every_batch() -> None:
    texts = [f"a persona number {number} who likes numbers" for number in range(50)]
    together = simhash(hash_words(texts)).tolist()
    assert together == [int(simhash(hash_words([text]))[0]) for text in texts]


@BOTH_KERNELS
def test_128_bits_begin_with_the_64_and_go_on_with_others() -> None:
    words = hash_words(TEXTS)
    both = simhash_128(words)
    assert both.shape == (len(TEXTS), 2)
    assert (both[:, 0] == simhash(words)).all()
    differing = np.bitwise_count(both[:2, 0] ^ both[:2, 1])
    assert (differing > 10).all()


def test_word_rows_are_cut_and_thinned_by_row() -> None:
    rows = word_rows([[1, 2], [], [3], [4, 5, 6]])
    part = rows.part(1, 4)
    assert (part.hashes.tolist(), part.starts.tolist()) == ([3, 4, 5, 6], [0, 0, 1, 4])
    kept = rows.keep(np.array([True, True, False, True]))
    assert (kept.hashes.tolist(), kept.starts.tolist()) == ([1, 2, 4, 5, 6], [0, 2, 2, 5])
    assert (len(kept), kept.counts.tolist()) == (3, [2, 0, 3])
    assert len(rows.part(2, 2)) == 0
    assert isinstance(rows.keep(np.zeros(4, np.bool_)), Words)
