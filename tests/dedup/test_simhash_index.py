"""Which rows `SimhashIndex` drops, against the definition: kept rows within the distance, alike by their sketches."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from personastream.dedup.simhash_index import SimhashIndex
from tests.support.effort import tries

DISTANCES = range(7)
Rows = NDArray[np.uint64]


def rows_of(signatures: Sequence[int], words: Sequence[Iterable[int]]) -> Rows:
    """Evidence rows: a word is a small number, and stands for one bit in either sketch."""
    sketches = [[0, len(set(row)) << 56] for row in words]
    for sketch, row in zip(sketches, words, strict=True):
        for word in set(row):
            sketch[0] ^= 1 << word % 64
            sketch[1] ^= 1 << word % 56
    return np.array([[signature, *sketch] for signature, sketch in zip(signatures, sketches, strict=True)], np.uint64)


def similarity(a: Sequence[int], b: Sequence[int]) -> float:
    """The upper bound that two rows of evidence allow."""
    size, other = a[2] >> 56, b[2] >> 56
    apart = max((a[1] ^ b[1]).bit_count(), ((a[2] ^ b[2]) & ((1 << 56) - 1)).bit_count(), abs(size - other))
    return max(0, size + other - apart) / (size + other + apart)


def by_definition(rows: Rows, distance_max: int, similarity_min: float) -> list[bool]:
    kept: list[list[int]] = []
    decisions = []
    for row in rows.tolist():
        alike = row[2] >> 56 and any(
            (row[0] ^ other[0]).bit_count() <= distance_max and similarity(row, other) >= similarity_min
            for other in kept
        )
        decisions.append(not alike)
        if not alike and row[2] >> 56:
            kept.append(row)
    return decisions


def insert(index: SimhashIndex, rows: Rows, cuts: Iterable[int] = ()) -> list[bool]:
    """Insert in batches that end at `cuts`."""
    edges = sorted({0, len(rows), *(cut % (len(rows) + 1) for cut in cuts)})
    return [
        bool(new) for start, stop in pairwise(edges) for new in index.insert(rows[start:stop, 0], rows[start:stop, 1:])
    ]


@st.composite
def crowded_rows(draw: st.DrawFn, size_max: int = 40) -> Rows:
    """Few signatures, some bits apart, and rows that share words."""
    bases = draw(st.lists(st.integers(0, (1 << 64) - 1), min_size=1, max_size=3))
    flips = st.lists(st.integers(0, 63), max_size=7).map(lambda bits: sum(1 << bit for bit in set(bits)))
    words = st.sets(st.integers(0, 11), max_size=6)
    drawn = draw(st.lists(st.tuples(st.sampled_from(bases), flips, words), max_size=size_max))
    return rows_of([base ^ flip for base, flip, _ in drawn], [row for _, _, row in drawn])


@settings(max_examples=tries(60), deadline=None)
@given(
    crowded_rows(),
    st.sampled_from(DISTANCES),
    st.sampled_from([0.0, 0.5, 0.8, 1.0]),
    st.lists(st.integers(0, 40), max_size=4),
)
def test_decisions_follow_the_definition(rows: Rows, distance_max: int, similarity_min: float, cuts: list[int]) -> None:
    index = SimhashIndex(0, distance_max, similarity_min)
    decisions = insert(index, rows, cuts)
    assert decisions == by_definition(rows, distance_max, similarity_min)
    assert len(index) == sum(new and bool(row[2] >> 56) for new, row in zip(decisions, rows.tolist(), strict=True))
    assert index.given_up == 0


@pytest.mark.parametrize("distance_max", DISTANCES)
def test_every_pair_within_the_distance_is_found(distance_max: int) -> None:
    """With flipped bits spread over all of the signature, and one bit more makes a row new."""
    random = np.random.default_rng(distance_max)
    base = random.integers(0, 1 << 63, 900, np.uint64)

    def flips(count: int) -> NDArray[np.uint64]:
        return np.array(
            [sum(1 << int(bit) for bit in random.choice(64, count, replace=False)) for _ in base], np.uint64
        )

    signatures = np.concatenate([base, base ^ flips(distance_max), base ^ flips(distance_max + 1)])
    sketches = rows_of([0], [[1, 2, 3]])[:, 1:].repeat(len(signatures), axis=0)
    new = SimhashIndex(0, distance_max, 1.0).insert(signatures, sketches)
    assert new[:900].all()
    assert not new[900:1800].any()
    assert new[1800:].all()


def random_crowd(seed: int, size: int, same: int) -> Rows:
    """Rows of few words, whose signatures are alike in the bits of `same`; a third are close to an earlier one."""
    random = np.random.default_rng(seed)
    signatures = random.integers(0, 1 << 63, size, np.uint64) & np.uint64(same ^ (1 << 64) - 1)
    flips = np.bitwise_or.reduce(np.uint64(1) << random.integers(0, 64, (size, 2), np.uint64), axis=1)
    close = random.random(size) < 1 / 3
    signatures[close] = signatures[random.integers(0, size, size)][close] ^ flips[close]
    return rows_of(signatures.tolist(), random.integers(0, 40, (size, 3)).tolist())


SAME = pytest.mark.parametrize("same", [0, 0xFFFF_FFFF, 0xFFFF_FFFF << 32, (1 << 64) - 1, 0xFFFF_0000_FFFF_FFFF])


@SAME
@pytest.mark.parametrize("distance_max", [0, 3, 4])
@pytest.mark.slow
def test_rows_that_came_by_learn_count_like_rows_that_were_inserted(same: int, distance_max: int) -> None:
    """In whatever batches, across growth, and with tables too crowded for all."""
    rows = random_crowd(distance_max, 1500, same)
    whole, parts, taught = (SimhashIndex(0, distance_max, 0.8) for _ in range(3))
    decisions = insert(whole, rows[:1200])
    assert insert(parts, rows[:1200], cuts=[1, 700, 1009, 1010]) == decisions
    records = whole.learnt()
    taught.learn(records[: 24 * 100])
    taught.learn(records[24 * 100 :])
    assert len(records) == 24 * len(whole)
    assert (whole.learnt(), taught.learnt()) == (b"", b"")
    for index in (parts, taught):
        assert (len(index), index.given_up) == (len(whole), whole.given_up)
    rest = insert(whole, rows[1200:])
    assert insert(taught, rows[1200:]) == insert(parts, rows[1200:]) == rest
    assert taught.learnt() == whole.learnt()
    assert (len(taught), taught.given_up) == (len(whole), whole.given_up)


@pytest.mark.parametrize("distance_max", [0, 1, 3, 5])
@pytest.mark.slow
def test_growth_loses_nothing(distance_max: int) -> None:
    rows = random_crowd(distance_max, 3000, 0)
    small, large = SimhashIndex(0, distance_max, 0.6), SimhashIndex(10_000, distance_max, 0.6)
    decisions = insert(small, np.concatenate([rows, random_crowd(1, 9000, 0), rows]))
    assert decisions == insert(large, np.concatenate([rows, random_crowd(1, 9000, 0), rows]))
    assert decisions[:600] == by_definition(rows[:600], distance_max, 0.6)
    assert small.given_up == 0


def test_what_one_crowded_half_has_no_room_for_is_found_by_the_other() -> None:
    """All low halves are the same: that line is full after some hundred rows. Then copies are known by high halves.

    A few rows find no room at all, where the place that a row sent away goes to is crowded itself.
    """
    random = np.random.default_rng(5)
    high = random.choice(1 << 32, 2000, replace=False).astype(np.uint64) << np.uint64(32)
    apart = np.uint64(1) << random.integers(32, 64, 2000, np.uint64)
    sketches = rows_of([0], [[1, 2, 3]])[:, 1:].repeat(2000, axis=0)
    index = SimhashIndex(20_000, 3, 1.0)
    first = index.insert(high, sketches)
    assert 1000 < index.given_up < 2000
    assert index.insert(high ^ apart, sketches)[first].sum() < 20


def test_rows_of_one_signature_and_different_words_are_kept_and_what_is_given_up_is_counted() -> None:
    rows = rows_of([12345] * 1000, [[number % 64, number // 64 + 8, 3] for number in range(1000)])
    index = SimhashIndex(0, 3, 1.0)
    decisions = insert(index, rows)
    assert sum(decisions) == len(index)
    found = 240 * 2
    assert index.given_up >= 2 * (len(index) - found)
    assert not any(insert(index, rows[:200]))


def test_similarity_at_the_bound_is_enough() -> None:
    rows = rows_of([0, 0, 0], [[1, 2, 3, 4], [1, 2, 3, 4, 5], [1, 2, 3, 6]])
    assert insert(SimhashIndex(0, 0, 0.8), rows) == [True, False, True]


def test_a_dropped_row_drops_no_other() -> None:
    """Each row is within 1 bit of the one before, the third 2 bits from the first: no chains of likeness."""
    assert insert(SimhashIndex(0, 1, 0.8), rows_of([0b000, 0b001, 0b011], [[1], [1], [1]])) == [True, False, True]


def test_of_very_long_rows_sizes_count_as_255() -> None:
    """Sketches that differ in 11 bits, of rows with at least 255 words each: at most (510 - 11) / (510 + 11)."""
    rows = np.array([[0, 0, 255 << 56], [0, 0x7FF, 255 << 56]], np.uint64)
    assert insert(SimhashIndex(0, 0, 499 / 521), rows) == [True, False]
    assert insert(SimhashIndex(0, 0, 0.96), rows) == [True, True]


def test_of_sketches_that_differ_much_the_rows_may_differ_in_more() -> None:
    """16 bits: 20.7 words may well have left them, so at most (510 - 20.7) / (510 + 20.7) = 0.922 counts."""
    rows = np.array([[0, 0, 255 << 56], [0, 0xFFFF, 255 << 56]], np.uint64)
    assert insert(SimhashIndex(0, 0, 0.92), rows) == [True, False]
    assert insert(SimhashIndex(0, 0, 0.93), rows) == [True, True]


def test_evidence_is_kept_where_the_caller_says() -> None:
    given: list[NDArray[np.uint64]] = []

    def allocate(rows: int) -> NDArray[np.uint64]:
        given.append(np.full((rows, 3), 77, np.uint64))
        return given[-1]

    index = SimhashIndex(0, evidence=allocate)
    assert not given
    rows = random_crowd(0, 1500, 0)
    decisions = np.array(insert(index, rows))
    assert len(given) == 2
    assert (given[-1][: len(index)] == rows[decisions]).all()
    assert index.evidence_bytes >= given[-1].nbytes


@pytest.mark.parametrize("records", [b"1", bytes(23), bytes(24), bytes(25)])
def test_bytes_that_are_no_records_are_refused_and_nothing_is_learnt(records: bytes) -> None:
    index = SimhashIndex()
    with pytest.raises(ValueError, match="record"):
        index.learn(records)
    assert len(index) == 0


@pytest.mark.parametrize("distance_max", [-1, 7, 9])
def test_a_distance_out_of_range_is_refused(distance_max: int) -> None:
    with pytest.raises(ValueError, match="distance_max"):
        SimhashIndex(distance_max=distance_max)


def test_fewer_than_no_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="rows_expected"):
        SimhashIndex(rows_expected=-1)
