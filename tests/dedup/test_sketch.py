import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.dedup import sketches
from tests.support.effort import tries
from tests.support.word_rows import word_rows

BOTH_KERNELS = pytest.mark.usefixtures("each_kernel")

MASK = (1 << 64) - 1
HASHES = st.one_of(st.integers(0, MASK), st.integers(0, 3))
ROWS = st.lists(st.lists(HASHES, max_size=30), max_size=6)


def by_definition(row: list[int]) -> list[int]:
    first = second = 0
    for word in set(row):
        first ^= 1 << (word >> 58)
        second ^= 1 << ((word & 0xFFFFFFFF) * 56 >> 32)
    return [first, second | min(len(set(row)), 255) << 56]


@BOTH_KERNELS
@settings(max_examples=tries(60), deadline=None)
@given(rows=ROWS)
def test_sketches_are_parities_over_the_set_of_words(rows: list[list[int]]) -> None:
    assert sketches(word_rows(rows)).tolist() == [by_definition(row) for row in rows]


@BOTH_KERNELS
def test_long_rows_and_rows_of_few_words_often_repeated() -> None:
    random = np.random.default_rng(1)
    sizes = [127, 128, 129, 254, 255, 256, 257, 3000, 0, 1]
    rows = [random.integers(0, MASK, size, np.uint64, endpoint=True).tolist() for size in sizes]
    rows += [[7] * 1000, [7, 8] * 300, list(range(300)) * 2]
    rows += [[slot << 8 for slot in range(200)]]  # all of them meet in one slot of the table that tells repetitions
    found = sketches(word_rows(rows))
    assert found.tolist() == [by_definition(row) for row in rows]
    assert (found[4:6, 1] >> np.uint64(56)).tolist() == [255, 255]


@BOTH_KERNELS
@settings(max_examples=tries(60), deadline=None)
@given(shared=st.sets(HASHES, max_size=20), ours=st.sets(HASHES, max_size=5), theirs=st.sets(HASHES, max_size=5))
def test_no_sketch_differs_in_more_bits_than_the_sets_in_words(
    shared: set[int], ours: set[int], theirs: set[int]
) -> None:
    one, other = sketches(word_rows([sorted(shared | ours), sorted(shared | theirs)]))
    apart = len((shared | ours) ^ (shared | theirs))
    differing = one ^ other
    assert int(differing[0]).bit_count() <= apart
    assert (int(differing[1]) & ((1 << 56) - 1)).bit_count() <= apart
