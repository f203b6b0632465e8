"""Similarities and near copies of sets of words, against the plain way."""

from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.report.figures.word_sets import copies, jaccard, to_others
from tests.support.effort import tries

sets = st.lists(st.frozensets(st.integers(0, 12), max_size=12), min_size=1, max_size=14)


@settings(max_examples=tries(60))
@given(sets, st.sampled_from([0.5, 0.7, 0.9, 1.0]))
def test_copies_are_found_as_by_comparing_all(given_sets: list[frozenset[int]], least: float) -> None:
    expected = sum(
        any(words and jaccard(words, other) >= least for other in given_sets[:row])
        for row, words in enumerate(given_sets)
    )
    assert copies(given_sets, least, [True] * len(given_sets)) == expected


def test_only_what_is_proposed_is_looked_at_but_for_the_very_same_words() -> None:
    one, like, same = frozenset(range(10)), frozenset(range(11)), frozenset(range(10))
    assert copies([one, like, same], 0.9, [False, False, False]) == 1
    assert copies([one, like, same], 0.9, [False, True, False]) == 2


@settings(max_examples=tries(40))
@given(sets)
def test_similarities_to_all_others_at_once(given_sets: list[frozenset[int]]) -> None:
    similarities = to_others(given_sets)
    for row, words in enumerate(given_sets):
        found = similarities(row).tolist()
        assert all(abs(each - jaccard(words, other)) < 1e-6 for each, other in zip(found, given_sets, strict=True))
