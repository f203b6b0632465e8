"""What `JaccardIndex` and `MinhashIndex` find and drop, against sets compared one by one."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import islice, pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.dedup.candidates import _most_apart, exact
from personastream.dedup.jaccard_index import JaccardIndex
from personastream.dedup.minhash import minhash
from personastream.dedup.minhash_index import MinhashIndex, choose_bands
from personastream.dedup.sketch import sketches
from personastream.dedup.sketch_kernels import similarity_bound
from personastream.dedup.words import hash_words
from tests.support.effort import tries

Index = JaccardIndex | MinhashIndex
SIMILARITIES = [0.5, 0.6, 0.75, 0.8, 0.9, 1.0]
BOTH = pytest.mark.parametrize("kind", [JaccardIndex, MinhashIndex])


def insert(index: Index, rows: Sequence[Sequence[int]], cuts: Iterable[int] = ()) -> list[bool]:
    """Insert rows of words in batches that end at `cuts`."""
    decisions: list[bool] = []
    for start, stop in pairwise(sorted({0, len(rows), *(cut % (len(rows) + 1) for cut in cuts)})):
        words = hash_words([" ".join(f"w{word}" for word in row) for row in rows[start:stop]])
        if isinstance(index, JaccardIndex):
            decisions += index.insert(words).tolist()
        else:
            decisions += index.insert(words, minhash(words), sketches(words)).tolist()
    return decisions


def jaccard(a: set[int], b: set[int]) -> Fraction:
    return Fraction(len(a & b), len(a | b))


def kept_before(rows: Sequence[Sequence[int]], decisions: Sequence[bool]) -> list[list[set[int]]]:
    """For each row the sets of words of the kept ones before it."""
    kept: list[set[int]] = []
    before = []
    for row, new in zip(rows, decisions, strict=True):
        before.append(kept.copy())
        if new and row:
            kept.append(set(row))
    return before


def variants(seed: int, size: int, words_min: int, words_max: int) -> list[list[int]]:
    """Rows of words in any order, half of which differ from an earlier one in a few words."""
    random = np.random.default_rng(seed)
    rows: list[list[int]] = []
    for _ in range(size):
        if rows and random.random() < 0.5:
            row = rows[random.integers(len(rows))].copy()
            for _ in range(random.integers(4)):
                row[random.integers(len(row)) :][:1] = random.integers(0, 100_000, random.integers(3)).tolist()
            random.shuffle(row)
        else:
            row = random.integers(0, 100_000, random.integers(words_min, words_max + 1)).tolist()
        rows.append(row or [1])
    return rows


@settings(max_examples=tries(80), deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 13), max_size=16), max_size=25),
    st.sampled_from(SIMILARITIES),
    st.lists(st.integers(0, 25), max_size=3),
)
def test_jaccard_drops_all_rows_that_are_similar_and_no_others(
    rows: list[list[int]], similarity_min: float, cuts: list[int]
) -> None:
    """Of so few words sketches hardly ever mistake two sets for similar; none of these does."""
    decisions = insert(JaccardIndex(0, similarity_min), rows, cuts)
    for row, new, kept in zip(rows, decisions, kept_before(rows, decisions), strict=True):
        similar = bool(row) and any(jaccard(set(row), other) >= exact(similarity_min) for other in kept)
        assert similar <= (not new)
        if not new:
            assert max(jaccard(set(row), other) for other in kept) >= exact(similarity_min) - Fraction(1, 3)


@pytest.mark.parametrize("similarity_min", SIMILARITIES)
def test_what_one_sketch_refuses_is_below_the_similarity(similarity_min: float) -> None:
    """Of two rows of any sizes, with one bit more apart than is allowed, and with just as many."""
    allowed = _most_apart(similarity_min)
    for size, other in product(range(1, 256, 7), range(1, 256, 11)):
        most = int(allowed[size + other])
        seconds = np.uint64(size << 56), np.uint64(other << 56)
        for apart in range(most + 1, min(most + 3, 65)):
            bits = np.uint64((1 << apart) - 1)
            assert similarity_bound(np.uint64(0), seconds[0], bits, seconds[1]) < similarity_min
        if most < 12 and abs(size - other) <= most:
            assert similarity_bound(np.uint64(0), seconds[0], np.uint64((1 << most) - 1), seconds[1]) >= similarity_min


@pytest.mark.parametrize("words", [(1, 9), (10, 18), (8, 40), (90, 120), (200, 254)])
@pytest.mark.parametrize("similarity_min", [0.8, 0.9])
@pytest.mark.slow
def test_jaccard_finds_every_pair_across_its_classes(words: tuple[int, int], similarity_min: float) -> None:
    rows = variants(words[0], 300, *words)
    index = JaccardIndex(0, similarity_min)
    decisions = insert(index, rows)
    for row, new, kept in zip(rows, decisions, kept_before(rows, decisions), strict=True):
        if new:
            assert all(jaccard(set(row), other) < exact(similarity_min) for other in kept)
    assert 50 < sum(decisions) < 300
    assert index.given_up == 0


def test_most_pairs_at_the_similarity_are_found_by_minhash() -> None:
    """One of 20 words goes: 19 of 20 are shared. 0.999 of such pairs are expected to be found."""
    rows = [[30 * number + word for word in range(20)] for number in range(400)]
    decisions = insert(MinhashIndex(0, 0.9), rows + [row[:19] for row in rows])
    assert all(decisions[:400])
    assert sum(decisions[400:]) < 5


@pytest.mark.parametrize(("similarity_min", "bands"), [(0.9, (14, 9)), (0.8, (21, 6)), (0.5, (64, 2)), (1.0, (1, 128))])
def test_bands_follow_from_the_similarity(similarity_min: float, bands: tuple[int, int]) -> None:
    assert choose_bands(similarity_min, 128) == bands


@BOTH
def test_rows_that_came_by_learn_count_like_rows_that_were_inserted(kind: type[Index]) -> None:
    """In whatever batches, with more keys than one table holds, and lines that are too crowded."""
    crowd = [[*range(20), 100 + number] for number in range(3000)]
    rows = [row for pair in zip(variants(1, 3000, 5, 30), crowd, strict=True) for row in pair]
    whole, parts, taught = (kind(0, 0.95) for _ in range(3))
    decisions = insert(whole, rows[:5000])
    assert insert(parts, rows[:5000], cuts=[1, 700, 4099, 4100]) == decisions
    assert whole.given_up > 0
    records = [whole.learnt(), parts.learnt()]
    assert records[0] == records[1]
    taught.learn(records[0])
    assert (whole.learnt(), taught.learnt()) == (b"", b"")
    assert len(whole) == len(taught) == sum(decisions)
    rest = insert(whole, rows[5000:])
    assert insert(taught, rows[5000:]) == insert(parts, rows[5000:]) == rest
    assert taught.given_up == parts.given_up == whole.given_up


@BOTH
def test_more_rows_than_expected_are_found_all_the_same(kind: type[Index]) -> None:
    rows = variants(2, 2000, 12, 20)
    small, large = kind(10, 0.9), kind(5000, 0.9)
    assert insert(small, rows * 2) == insert(large, rows * 2)
    assert not any(insert(small, rows))
    assert small.size_bytes > 0


@BOTH
@pytest.mark.parametrize("similarity_min", [0.6, 0.7, 0.8])
@pytest.mark.slow
def test_long_rows_that_have_much_in_common_are_not_taken_for_copies(kind: type[Index], similarity_min: float) -> None:
    """Of 90 words, 62 are the same in all rows: any two are alike by about a half, none by more than two thirds."""
    draw = np.random.default_rng(3)
    common = draw.integers(1 << 60, size=62).tolist()
    rows = [[*common, *draw.integers(1 << 60, size=28).tolist()] for _ in range(700)]
    copies = [[*row[:-3], 1, 2, 3] for row in rows[:100]]  # alike by 0.935
    decisions = insert(kind(2_000, similarity_min), [*rows, *copies])
    assert sum(not new for new in decisions[:700]) <= 1
    assert sum(not new for new in decisions[700:]) >= (99 if kind is JaccardIndex else 90)


@BOTH
@pytest.mark.parametrize("similarity_min", [0.85, 0.9, 1.0])
def test_rows_of_one_template_are_no_copies_of_each_other(kind: type[Index], similarity_min: float) -> None:
    """All differ in one word of ten: alike by 9/11. Sketches alone would take one pair in 3,600 for copies."""
    rows = [[*range(9), 100 + number] for number in range(6000)]
    told, taught = kind(0, similarity_min), kind(0, similarity_min)
    assert all(insert(told, rows[:4000]))
    taught.learn(told.learnt())
    assert all(insert(told, rows[4000:]))
    assert all(insert(taught, rows[4000:]))
    assert not any(insert(taught, rows[:1000] + rows[-1000:]))


def test_rows_with_a_common_part_go_by_their_size_when_there_are_too_many() -> None:
    """440 rows have 8 words in common, which are all of one part; each is known again by them when a word is added."""
    hashes = hash_words([" ".join(f"w{word}" for word in range(20_000))]).hashes
    in_first = (hashes & np.uint64(1 << 31)) == 0
    shared, others = in_first.nonzero()[0][:8].tolist(), iter((~in_first).nonzero()[0].tolist())
    rows = [[*shared, *islice(others, 7 + number % 2)] for number in range(440)]
    index = JaccardIndex(0, 0.9)
    assert all(insert(index, rows))
    assert not any(insert(index, [[*row, next(others)] for row in rows]))
    assert index.given_up == 0


@BOTH
def test_very_long_rows_are_found_too(kind: type[Index]) -> None:
    rows = [[1000 * number + word for word in range(600)] for number in range(1, 20)]
    index = kind(0, 0.9)
    assert all(insert(index, rows))
    assert not any(insert(index, [row[10:] for row in rows]))


@BOTH
def test_repeated_words_and_their_order_do_not_count(kind: type[Index]) -> None:
    rows = [[1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1, 1, 1, 2], list(range(80)) * 2, list(range(80))]
    assert insert(kind(0, 0.9), rows) == [True, False, True, False]


@BOTH
@pytest.mark.parametrize("records", [b"1", bytes(24), bytes(32), b"\xff" * 32, b"\x01" * 16 + b"\x01" + bytes(7)])
def test_bytes_that_are_no_records_are_refused_and_nothing_is_learnt(kind: type[Index], records: bytes) -> None:
    index = kind(0, 0.9)
    with pytest.raises(ValueError, match=r"words of 8 bytes|hang together"):
        index.learn(records)
    assert len(index) == 0
