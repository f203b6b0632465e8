"""The index against a Python set, with small tables that fill up, and with keys that crowd."""

import io
from itertools import pairwise
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from personastream.dedup import ExactIndex, exact_index, exact_kernels
from personastream.dedup.exact_kernels import CHOICE_LINES
from personastream.errors import ConfigError
from tests.support.effort import tries

Bits = Literal[64, 128]
Keys = NDArray[np.uint64]

TOP = (1 << 64) - 1
KEYS = st.one_of(st.integers(0, 5), st.integers(TOP - 5, TOP), st.integers(0, TOP))
BOTH = pytest.mark.parametrize("bits", [64, 128])


@pytest.fixture
def small_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables of as few lines as can be, so that they fill up, and of five bytes from twice as many on."""
    monkeypatch.setattr(exact_index, "_LINES_MIN", CHOICE_LINES)
    monkeypatch.setattr(exact_index, "_LINES_FOR_FIVE_BYTES", 2 * CHOICE_LINES)


def keys_of(values: list[int], bits: Bits = 64) -> Keys:
    """Keys that are told apart by their upper half; those of 128 bits by their lower one alone."""
    keys = np.array(values, np.uint64)
    return keys if bits == 64 else np.stack([np.full(len(keys), 7, np.uint64), keys], axis=1)


def random_keys(seed: int, size: int, bits: Bits) -> Keys:
    """Each key twice on average."""
    random = np.random.default_rng(seed)
    drawn = random.integers(0, TOP, (size // 2, 2), np.uint64)[random.integers(0, size // 2, size)]
    return drawn if bits == 128 else drawn[:, 0].copy()


def by_set(keys: Keys) -> list[bool]:
    seen, new = set(), []
    for key in map(str, keys.tolist()):
        new.append(key not in seen)
        seen.add(key)
    return new


def inserted(index: ExactIndex, keys: Keys, cuts: list[int]) -> list[bool]:
    edges = sorted({0, *(cut % (len(keys) + 1) for cut in cuts), len(keys)})
    return [new for start, stop in pairwise(edges) for new in index.insert(keys[start:stop]).tolist()]


@BOTH
@settings(max_examples=tries(60), deadline=None)
@given(values=st.lists(KEYS, max_size=80), cuts=st.lists(st.integers(0, 80), max_size=4))
def test_a_key_is_new_once_whatever_the_batches(bits: Bits, values: list[int], cuts: list[int]) -> None:
    index = ExactIndex(100, bits)
    keys = keys_of(values, bits)
    assert inserted(index, keys, cuts) == by_set(keys)
    assert len(index) == len(set(values))


@BOTH
@pytest.mark.usefixtures("small_tables")
@pytest.mark.parametrize("rows_expected", [0, 600, 1200, 3000])
def test_tables_beside_the_first_change_no_decision(bits: Bits, rows_expected: int) -> None:
    keys = random_keys(rows_expected, 8000, bits)
    whole, cut = ExactIndex(rows_expected, bits), ExactIndex(rows_expected, bits)
    assert inserted(whole, keys, []) == by_set(keys)
    assert inserted(cut, keys, [1, 2, 50, 51, 1700]) == by_set(keys)
    assert image(whole) == image(cut)


@pytest.mark.usefixtures("small_tables")
def test_a_table_is_filled_to_88_percent_before_the_next_is_made() -> None:
    index = ExactIndex(60)
    before = index.size_bytes
    assert before == 64 * 64  # of ten slots
    index.insert(np.random.default_rng(1).integers(0, TOP, 563, np.uint64))
    assert index.size_bytes == before
    index.insert(np.ones(1, np.uint64))
    assert index.size_bytes > before


@BOTH
def test_an_index_of_the_size_expected_needs_one_table(bits: Bits) -> None:
    index = ExactIndex(700_000, bits)
    before = index.size_bytes
    keys = np.random.default_rng(1).integers(0, TOP, (700_000, 2) if bits == 128 else 700_000, np.uint64)
    for start in range(0, len(keys), 70_000):
        assert index.insert(keys[start : start + 70_000]).all()
    assert index.size_bytes == before
    assert not index.insert(keys).any()


@BOTH
@pytest.mark.usefixtures("small_tables")
@pytest.mark.parametrize("rows_expected", [560, 1300])
def test_keys_that_found_both_their_lines_full_are_known(bits: Bits, rows_expected: int) -> None:
    """All slots but three are filled, so most of the last keys have gone to a third line, one by one or at once."""
    whole, by_ones = ExactIndex(rows_expected, bits), ExactIndex(rows_expected, bits)
    for index in (whole, by_ones):
        index._tables[0]._room = len(index._tables[0].lines) * index._tables[0]._layout.slots - 3
    room = whole._tables[0]._room
    keys = np.random.default_rng(8).integers(0, TOP, (room, 2) if bits == 128 else room, np.uint64)
    assert whole.insert(keys).all()
    assert all(by_ones.insert(keys[place : place + 1]).all() for place in range(room))
    assert image(whole) == image(by_ones)
    assert len(whole._tables) == 1
    assert not whole.insert(keys).any()
    assert not whole.insert(keys[::-1]).any()


@pytest.mark.parametrize("lines", [1 << 16, 1 << 24])
def test_the_other_line_and_what_it_keeps_tell_the_home(lines: int) -> None:
    """It lies in the same page, is another one, and is the same for all keys of a home that share their low half."""
    for key in np.random.default_rng(1).integers(0, TOP, 500, np.uint64):
        home = exact_kernels.home_of(key, lines)
        other = exact_kernels.other_of(home, key)
        assert other != home
        assert other // CHOICE_LINES == home // CHOICE_LINES
        assert exact_kernels.other_of(other, key & np.uint64(0xFFFF_FFFF)) == home


@BOTH
def test_keys_of_one_line_walk_to_the_next_ones_and_round_the_end(bits: Bits) -> None:
    """All at home in the last line: they fill it, go on at the start, and are told apart by their low bits."""
    index = ExactIndex(0, bits)
    keys = np.arange(TOP - 299, TOP + 1, dtype=np.uint64) if bits == 64 else keys_of(list(range(300)), 128)
    if bits == 128:
        keys[:, 0] = TOP
    assert index.insert(keys).all()
    assert not index.insert(keys[::-1]).any()
    others = np.arange(0, 300, dtype=np.uint64) if bits == 64 else keys ^ np.uint64(1 << 40)
    assert index.insert(others).all()
    assert not index.insert(keys).any()


@pytest.mark.parametrize("rows_expected", [0, 1 << 20])
def test_keys_that_differ_in_any_one_bit_are_different(rows_expected: int) -> None:
    values = [0x0123456789ABCDEF ^ (1 << bit) for bit in range(64)]
    assert ExactIndex(rows_expected).insert(np.array(values, np.uint64)).all()
    wide = [[value, 7] for value in values[:32]] + [[7, value] for value in values]
    assert ExactIndex(rows_expected, 128).insert(np.array(wide, np.uint64)).all()


@pytest.mark.parametrize(("rows", "size_bytes"), [(10**8, 7.3e8), (155_000_000, 1.1e9), (10**9, 6.07e9)])
def test_size_is_known_before_memory_is_taken(rows: int, size_bytes: float) -> None:
    """Linux gives pages when they are first written."""
    index = ExactIndex(rows)
    assert 0.95 * size_bytes < index.size_bytes < size_bytes
    lines = index.size_bytes // 64
    assert lines * (12 if lines >= 1 << 24 else 10) * 0.88 >= rows


@pytest.mark.parametrize("lines", [1 << 16, 1 << 24])
def test_a_home_and_a_remainder_make_the_whole_key(lines: int) -> None:
    """Where tables begin to be used, no two upper halves share both their line and what the line keeps of them."""
    kept_bits = 8 if lines >= exact_index._LINES_FOR_FIVE_BYTES else 16
    upper = np.arange(1 << 18, dtype=np.uint64) + np.uint64(12345 << 10)
    homes = (upper * np.uint64(lines)) >> np.uint64(32)
    kept = upper & np.uint64((1 << kept_bits) - 1)
    assert len(np.unique((homes << np.uint64(16)) | kept)) == len(upper)


def test_empty_batches_are_fine() -> None:
    index = ExactIndex(0)
    assert index.insert(np.empty(0, np.uint64)).tolist() == []
    assert (len(index), index.learnt()) == (0, b"")
    index.learn(b"")


def image(index: ExactIndex) -> bytes:
    file = io.BytesIO()
    index.save(file)
    return file.getvalue()


@BOTH
@pytest.mark.usefixtures("small_tables")
def test_what_is_learnt_makes_the_same_index(bits: Bits) -> None:
    keys = random_keys(3, 3000, bits)
    first, second = ExactIndex(40, bits), ExactIndex(40, bits)
    for start in range(0, 3000, 130):
        first.insert(keys[start : start + 130])
        records = first.learnt()
        assert len(records) % (bits // 8) == 0
        second.learn(records)
    assert image(first) == image(second)
    assert first.learnt() == second.learnt() == b""
    third, all_at_once = ExactIndex(40, bits), ExactIndex(40, bits)
    all_at_once.insert(keys)
    third.learn(all_at_once.learnt())
    assert image(third) == image(first)


def test_records_are_little_endian_keys_in_order() -> None:
    index = ExactIndex(0)
    index.insert(np.array([258, 1, 258], np.uint64))
    index.insert(np.array([1, 0], np.uint64))
    assert index.learnt() == bytes([2, 1, *bytes(6), 1, *bytes(7), *bytes(8)])
    wide = ExactIndex(0, 128)
    wide.insert(np.array([[1, 2]], np.uint64))
    assert wide.learnt() == bytes([1, *bytes(7), 2, *bytes(7)])


@BOTH
def test_what_cannot_be_records_is_refused(bits: Bits) -> None:
    index = ExactIndex(0, bits)
    with pytest.raises(ValueError, match="no whole number"):
        index.learn(bytes(bits // 8 + 1))
    with pytest.raises(ValueError, match="twice"):
        index.learn(bytes(2 * bits // 8))


def test_without_a_journal_nothing_is_kept_for_it() -> None:
    index = ExactIndex(0, journal=False)
    index.insert(np.ones(1, np.uint64))
    assert index.learnt() == b""


@BOTH
@pytest.mark.usefixtures("small_tables")
def test_an_image_brings_everything_back(bits: Bits) -> None:
    keys = random_keys(5, 2400, bits)
    first, second = ExactIndex(20, bits), ExactIndex(20, bits)
    first.insert(keys[:1500])
    second.insert(keys[400:450])
    second.load(io.BytesIO(image(first)))
    assert (len(second), second.size_bytes, second.learnt()) == (len(first), first.size_bytes, b"")
    assert second.insert(keys).tolist() == first.insert(keys).tolist()
    assert image(second) == image(first)


def test_without_numba_the_index_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "numba", None)
    with pytest.raises(ConfigError, match="exact deduplication needs numba") as caught:
        ExactIndex(0)
    assert "pip install numba" in caught.value.hint
