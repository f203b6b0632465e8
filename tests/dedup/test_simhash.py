from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.dedup import WordRows, hash_words, simhash

MASK = (1 << 64) - 1
HASHES = st.integers(0, MASK)
ROWS = st.lists(st.lists(HASHES, min_size=1, max_size=20), max_size=6)


def word_rows(rows: list[list[int]]) -> WordRows:
    flat = [word for row in rows for word in row]
    return WordRows(np.array(flat, np.uint64), np.array([len(row) for row in rows], np.int64))


def mix(value: int) -> int:
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & MASK
    return value ^ (value >> 31)


def by_definition(row: list[int]) -> int:
    pairs = [mix((a * 0x9E3779B97F4A7C15 + b) & MASK) for a, b in pairwise(row)]
    features = row + pairs
    return sum(1 << bit for bit in range(64) if 2 * sum(f >> bit & 1 for f in features) > len(features))


@settings(max_examples=50, deadline=None)
@given(ROWS)
def test_a_bit_is_set_where_more_than_half_of_the_features_have_it(rows: list[list[int]]) -> None:
    assert simhash(word_rows(rows)).tolist() == [by_definition(row) for row in rows]


def test_rows_of_any_length_follow_the_same_definition() -> None:
    random = np.random.default_rng(1)
    sizes = [1, 126, 127, 128, 129, 3, 253, 254, 255, 256, 1000, 2]
    rows = [random.integers(0, MASK, size, np.uint64, endpoint=True).tolist() for size in sizes]
    rows += [[MASK] * 400, [0] * 400, [MASK] * 300 + [0] * 301]
    assert simhash(word_rows(rows)).tolist() == [by_definition(row) for row in rows]


def test_the_order_of_words_counts() -> None:
    teacher, nurse = simhash(hash_words(["a nurse teaches a doctor", "a doctor teaches a nurse"])).tolist()
    assert teacher != nurse


def test_a_row_has_the_same_signature_in_every_batch() -> None:
    texts = [f"a persona number {number} who likes numbers" for number in range(50)]
    together = simhash(hash_words(texts)).tolist()
    assert together == [int(simhash(hash_words([text]))[0]) for text in texts]


def test_word_rows_are_cut_and_thinned_by_row() -> None:
    rows = word_rows([[1, 2], [], [3], [4, 5, 6]])
    part = rows.part(1, 4)
    assert (part.hashes.tolist(), part.counts.tolist()) == ([3, 4, 5, 6], [0, 1, 3])
    kept = rows.keep(np.array([True, True, False, True]))
    assert (kept.hashes.tolist(), kept.counts.tolist()) == ([1, 2, 4, 5, 6], [2, 0, 3])
    assert len(kept) == 3
