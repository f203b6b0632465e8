"""Which texts hold an item, against the rule itself, in every kernel."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.dedup.ngrams import ANYWHERE_MIN, NgramIndex
from tests.support.effort import tries

BOTH_KERNELS = pytest.mark.usefixtures("each_kernel")
WORDS = st.lists(st.sampled_from("abcd5"), max_size=14)
ITEM = "Lena packs seven crates of pears for each of her four aunts who live beside the old canal"
TAIL = "It takes Lena all day"


def grams(words: list[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(words[place : place + size]) for place in range(len(words) - size + 1)]


def holds(row: list[str], item: list[str], size: int, share_min: float) -> bool:
    if len(item) < size:
        there = tuple(item) in grams(row, len(item))
        return bool(item) and there and (len(item) >= ANYWHERE_MIN or row == item)
    shared = set(grams(row, size))
    if share_min == 0:
        told = [gram for gram in grams(item, size) if 4 * sum(word != "5" for word in gram) >= size]
        return bool(shared & set(told or grams(item, size)))
    covered = {place + step for place, gram in enumerate(grams(item, size)) if gram in shared for step in range(size)}
    return len(covered) >= math.ceil(share_min * len(item))


@BOTH_KERNELS
@settings(max_examples=tries(80), deadline=None)
@given(
    items=st.lists(WORDS, max_size=5),
    rows=st.lists(WORDS, max_size=5),
    size=st.integers(1, 6),
    share_min=st.sampled_from([0.0, 0.5, 0.8]),
)
def test_what_is_found_is_what_the_rule_says(
    items: list[list[str]], rows: list[list[str]], size: int, share_min: float
) -> None:
    index = NgramIndex(list(map(" ".join, items)), size, share_min=share_min)
    found = index.find(list(map(" ".join, rows))).tolist()
    for row, item in zip(rows, found, strict=True):
        assert (item >= 0) == any(holds(row, each, size, share_min) for each in items)
        assert item < 0 or holds(row, items[item], size, share_min)


@BOTH_KERNELS
@settings(max_examples=tries(50), deadline=None)
@given(items=st.lists(WORDS, max_size=4), rows=st.lists(WORDS, max_size=4), size=st.integers(1, 5))
def test_overlap_counts_runs_and_tokens(items: list[list[str]], rows: list[list[str]], size: int) -> None:
    index = NgramIndex(list(map(" ".join, items)), size, share_min=1.0)
    told = index.overlap(list(map(" ".join, rows)))
    assert told.shape == (len(rows), 3)
    known = {gram for item in items for gram in grams(item, min(size, len(item))) if gram}
    for row, (run, covered, tokens) in zip(rows, told.tolist(), strict=True):
        inside, best, begin, last = set[int](), 0, 0, -2
        for place in range(len(row)):
            reach = max(
                (k for k in range(1, size + 1) if tuple(row[place : place + k]) in known and place + k <= len(row)),
                default=0,
            )
            if reach:
                begin, last = (begin if place == last + 1 else place), place
                best = max(best, place + reach - begin)
                inside |= set(range(place, place + reach))
        assert (run, covered, tokens) == (best, len(inside), len(row))


@BOTH_KERNELS
def test_a_passage_is_found_wherever_it_stands_however_it_is_dressed() -> None:
    index = NgramIndex([ITEM, TAIL], 13)
    words = ITEM.upper().split()
    for start in range(len(words) - 12):
        passage = ",  ".join(words[start : start + 13])
        assert index.find([f"Well: {passage}!"]).tolist() == [0]
        assert index.find([f"Well: {passage.replace('CRATES', 'boxes').replace('BESIDE', 'by')}"]).tolist() == [-1]
    assert index.find([f"so {TAIL.lower()} and night", "It takes Lena all"]).tolist() == [1, -1]


@BOTH_KERNELS
def test_no_items_and_no_rows_are_no_fault() -> None:
    assert NgramIndex([], 13).find(["a b c"]).tolist() == [-1]
    assert NgramIndex(["", "+-*/"], 13).find(["", "a b"]).tolist() == [-1, -1]
    assert NgramIndex([ITEM], 13).find([]).tolist() == []
    assert NgramIndex([ITEM], 13).overlap([]).shape == (0, 3)


@BOTH_KERNELS
def test_counting_up_is_no_passage() -> None:
    index = NgramIndex([f"Add 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12. {ITEM}", "9 8 7 6 5 4 3 2 1 0 0 0 0 1"], 13)
    rows = ["from 1 2 3 4 5 6 7 8 9 10 11 12 on", "9 8 7 6 5 4 3 2 1 0 0 0 0 1"]
    assert index.find(rows).tolist() == [-1, 1]


@BOTH_KERNELS
def test_more_rows_than_a_step_and_items_that_begin_alike() -> None:
    items = [f"the item number {number:04d} of all is made of plain words and no other" for number in range(2500)]
    found = NgramIndex(items, 8).find(items[::-1])
    assert found.tolist() == list(range(2500))[::-1]
    few = items[:60]
    assert NgramIndex(few, 8, share_min=1.0).find(few[::-1]).tolist() == list(range(60))[::-1]
