"""The index against its definition, and against itself under other batches and restarts."""

import io
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from personastream.dedup import BlockIndex, SnapshotDamaged, WordRows
from personastream.dedup.chains import Block, flip_patterns
from personastream.dedup.near import plan_blocks
from personastream.dedup.snapshot import write_snapshot

DISTANCES = range(7)
SMALL = (8, 8, 8)  # blocks that make small tables and crowded chains


@dataclass
class Rows:
    """Signatures and, for each, its words."""

    signatures: list[int]
    words: list[list[int]]

    def part(self, start: int, stop: int) -> tuple[NDArray[np.uint64], WordRows]:
        words = self.words[start:stop]
        flat = np.array([word for row in words for word in row], np.uint64)
        counts = np.array([len(row) for row in words], np.int64)
        return np.array(self.signatures[start:stop], np.uint64), WordRows(flat, counts)


@st.composite
def crowded_rows(draw: st.DrawFn) -> Rows:
    """Rows around few signatures, with few words: many pairs at every small distance and similarity."""
    bases = draw(st.lists(st.integers(0, (1 << 64) - 1), min_size=1, max_size=3))
    flips = st.lists(st.integers(0, 63), max_size=5)
    words = st.lists(st.integers(1, 6), min_size=1, max_size=6)
    drawn = draw(st.lists(st.tuples(st.sampled_from(bases), flips, words), max_size=40))
    signatures = [base ^ sum(1 << bit for bit in set(bits)) for base, bits, _ in drawn]
    return Rows(signatures, [row for _, _, row in drawn])


def by_definition(rows: Rows, distance_max: int, similarity_min: float) -> list[bool]:
    kept: list[int] = []
    for row, signature in enumerate(rows.signatures):
        words = set(rows.words[row])
        copies = (
            (signature ^ rows.signatures[other]).bit_count() <= distance_max
            and len(words & set(rows.words[other])) / len(words | set(rows.words[other])) >= similarity_min
            for other in kept
        )
        if not any(copies):
            kept.append(row)
    return [row in kept for row in range(len(rows.signatures))]


def random_crowd(seed: int, size: int) -> Rows:
    """Rows of which up to a half are near copies, in few and therefore soon full chains."""
    random = np.random.default_rng(seed)
    bases = random.integers(0, 1 << 63, 4).tolist()
    bits = np.where(random.random((size, 4)) < 0.3, random.integers(0, 24, (size, 4)), 63).tolist()
    signatures = [bases[row % 4] ^ sum(1 << bit for bit in set(bits[row])) for row in range(size)]
    return Rows(signatures, [[word] for word in random.integers(0, 1 + size // 8, size).tolist()])


def by_chains(rows: Rows, distance_max: int, chain_rows_max: int) -> tuple[list[bool], int]:
    """Decisions and links given up, one row after the other, with chains as plain lists."""
    chains: defaultdict[tuple[Block, int], list[int]] = defaultdict(list)
    patterns = {block: flip_patterns(block).tolist() for block in plan_blocks(distance_max, SMALL)}
    decisions, given_up = [], 0
    for row, signature in enumerate(rows.signatures):
        keys = {block: signature >> block.shift & (1 << block.width) - 1 for block in patterns}
        near = {other for block, key in keys.items() for flip in patterns[block] for other in chains[block, key ^ flip]}
        copies = (
            (signature ^ rows.signatures[other]).bit_count() <= distance_max and rows.words[row] == rows.words[other]
            for other in near
        )
        decisions.append(not any(copies))
        for chain in (chains[place] for place in keys.items() if decisions[-1]):
            given_up += len(chain) == chain_rows_max
            chain += [row] * (len(chain) < chain_rows_max)
    return decisions, given_up


def insert(index: BlockIndex, rows: Rows, cuts: Iterable[int] = ()) -> list[bool]:
    """Insert in batches that end at `cuts`."""
    decisions: list[bool] = []
    edges = {0, *(cut % (len(rows.signatures) + 1) for cut in cuts), len(rows.signatures)}
    for start, stop in pairwise(sorted(edges)):
        decisions += index.insert(*rows.part(start, stop)).tolist()
    return decisions


@settings(max_examples=40, deadline=None)
@given(
    crowded_rows(),
    st.sampled_from(DISTANCES),
    st.sampled_from([0.0, 0.5, 0.8, 1.0]),
    st.lists(st.integers(0, 40), max_size=4),
)
def test_decisions_follow_the_definition(rows: Rows, distance_max: int, similarity_min: float, cuts: list[int]) -> None:
    index = BlockIndex(distance_max, similarity_min, block_bits=SMALL)
    decisions = insert(index, rows, cuts)
    assert decisions == by_definition(rows, distance_max, similarity_min)
    assert len(index) == sum(decisions)
    assert index.given_up == 0


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 1 << 32),
    st.sampled_from(DISTANCES),
    st.integers(1, 9),
    st.lists(st.integers(0, 200), max_size=3),
    st.integers(0, 200),
)
def test_full_chains_change_nothing_between_batchings_and_restarts(
    seed: int, distance_max: int, chain_rows_max: int, cuts: list[int], restart: int
) -> None:
    rows = random_crowd(seed, 200)
    first, second = (BlockIndex(distance_max, 0.8, chain_rows_max=chain_rows_max, block_bits=SMALL) for _ in range(2))
    decisions = insert(first, Rows(rows.signatures[:restart], rows.words[:restart]), cuts)
    file = io.BytesIO()
    first.save(file)
    file.seek(0)
    second.load(file)
    decisions += insert(second, Rows(rows.signatures[restart:], rows.words[restart:]), cuts)
    assert (decisions, second.given_up) == by_chains(rows, distance_max, chain_rows_max)


@pytest.mark.parametrize("distance_max", DISTANCES)
def test_every_pair_within_the_distance_is_found(distance_max: int) -> None:
    """Against brute force, with flipped bits spread over all of the signature."""
    random = np.random.default_rng(distance_max)
    base = random.integers(0, 1 << 63, 600, np.uint64)
    flips = np.array(
        [sum(1 << int(bit) for bit in random.choice(64, distance_max, replace=False)) for _ in base], np.uint64
    )
    beyond = np.array(
        [sum(1 << int(bit) for bit in random.choice(64, distance_max + 1, replace=False)) for _ in base], np.uint64
    )
    signatures = np.concatenate([base, base ^ flips, base ^ beyond])
    words = WordRows(np.ones(len(signatures), np.uint64), np.ones(len(signatures), np.int64))
    kept = BlockIndex(distance_max, 1.0).insert(signatures, words)
    assert kept[:600].all()
    assert not kept[600:1200].any()
    assert kept[1200:].all()


@pytest.mark.parametrize("distance_max", DISTANCES)
def test_the_blocks_cover_every_way_to_spread_the_distance(distance_max: int) -> None:
    blocks = plan_blocks(distance_max)
    assert sum(block.flips + 1 for block in blocks) == distance_max + 1
    bits = [bit for block in blocks for bit in range(block.shift, block.shift + block.width)]
    assert len(bits) == len(set(bits))
    assert max(bits) < 64


def test_flip_patterns_are_all_values_with_few_bits() -> None:
    patterns = flip_patterns(Block(shift=0, width=6, flips=2)).tolist()
    assert sorted(patterns) == [value for value in range(64) if value.bit_count() <= 2]


def test_links_beyond_a_full_chain_are_counted() -> None:
    rows = Rows([0] * 10, [[number] for number in range(1, 11)])
    index = BlockIndex(3, 0.8, chain_rows_max=4)
    assert all(insert(index, rows))
    assert index.given_up == 3 * 6


def test_a_dropped_row_drops_no_other() -> None:
    """Each row is within 1 bit of the one before, the third 2 bits from the first: no chains of likeness."""
    rows = Rows([0b000, 0b001, 0b011], [[1], [1], [1]])
    assert insert(BlockIndex(1, 0.8), rows) == [True, False, True]


def test_repeated_words_count_once() -> None:
    rows = Rows([0, 0], [[1, 1, 1, 1, 2], [1, 1, 1, 1, 3]])
    assert insert(BlockIndex(0, 0.5), rows) == [True, True]


def test_similarity_at_the_bound_is_enough() -> None:
    rows = Rows([0, 0, 0], [[1, 2, 3, 4], [1, 2, 3, 4, 5], [1, 2, 3, 6]])
    assert insert(BlockIndex(0, 0.8), rows) == [True, False, True]


def test_parts_of_a_snapshot_that_disagree_are_refused_and_nothing_changes() -> None:
    file = io.BytesIO()
    index = BlockIndex(3, 0.8)
    one, none = np.ones(1, np.uint64), np.empty(0, np.uint64)
    write_snapshot(file, "near 3 0.8 255 (22, 21, 21)", [one, one, none])
    file.seek(0)
    index.insert(one, WordRows(one, np.ones(1, np.int64)))
    with pytest.raises(SnapshotDamaged, match="disagree"):
        index.load(file)
    assert len(index) == 1


@pytest.mark.parametrize("distance_max", [0, 3, 6])
def test_many_crowded_rows_follow_the_definition(distance_max: int) -> None:
    random = np.random.default_rng(distance_max)
    bases = random.integers(0, 1 << 63, 12, np.uint64)
    flips: NDArray[np.uint64] = np.bitwise_or.reduce(
        np.uint64(1) << random.integers(0, 64, (1500, 4), np.uint64), axis=1
    )
    flips[::10] = 0
    signatures: NDArray[np.uint64] = bases[random.integers(0, 12, 1500)] ^ flips
    words = WordRows(np.ones(1500, np.uint64), np.ones(1500, np.int64))
    kept = BlockIndex(distance_max, 1.0).insert(signatures, words)
    expected: list[int] = []
    for row, signature in enumerate(signatures):
        if not (np.bitwise_count(signatures[expected] ^ signature) <= distance_max).any():
            expected.append(row)
    assert kept.nonzero()[0].tolist() == expected
