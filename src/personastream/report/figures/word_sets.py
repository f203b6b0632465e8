"""Texts as sets of words, compared exactly by Jaccard similarity: the share of the words of either that are in both."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from personastream.dedup.words import Words

    Row = NDArray[np.float32]

WordSet = frozenset[int]


def word_sets(words: "Words") -> list[WordSet]:
    """The distinct words of each text, as hashes."""
    bounds, hashes = words.starts.tolist(), words.hashes
    return [frozenset(hashes[start:stop].tolist()) for start, stop in pairwise(bounds)]


def jaccard(first: WordSet, second: WordSet) -> float:
    """Share of the members of either set that are in both; 0 for two empty sets."""
    both = len(first & second)
    either = len(first) + len(second) - both
    return both / either if either else 0.0


def to_others(sets: Sequence[WordSet]) -> "Callable[[int], Row]":
    """A function that tells the similarities of a set, given by its place, to all of them."""
    import numpy as np

    holders: dict[int, list[int]] = {}
    for row, words in enumerate(sets):
        for word in words:
            holders.setdefault(word, []).append(row)
    arrays = {word: np.array(rows) for word, rows in holders.items()}
    sizes = np.array([len(words) for words in sets])

    def similarities(row: int) -> "Row":
        places = [arrays[word] for word in sets[row]]
        both = np.bincount(np.concatenate(places), minlength=len(sets)) if places else np.zeros(len(sets), np.int64)
        shares: Row = (both / np.maximum(sizes + sizes[row] - both, 1)).astype(np.float32)
        return shares

    return similarities


def copies(sets: Sequence[WordSet], similarity_min: float, proposed: Sequence[bool]) -> int:
    """How many of the `proposed` sets are so similar to an earlier one. An empty set is like no other.

    If two sets are similar by t and the larger has s words, they share at least ceil(t * s). So they share one of any
    s - ceil(t * s) + 1 of its words; the rarest are looked up (prefix filtering, Chaudhuri, Ganti, Kaushik, ICDE 2006).
    """
    frequency = Counter(word for words in sets for word in words)
    holders: dict[int, list[int]] = {}
    seen: set[WordSet] = set()
    found = 0
    for row, words in enumerate(sets):
        if words in seen:
            found += bool(words)
            continue
        rarest = sorted(words, key=lambda word: (frequency[word], word))
        prefix = rarest[: len(words) - ceil(similarity_min * len(words)) + 1]
        if proposed[row]:
            candidates = {other for word in prefix for other in holders.get(word, ())}
            found += any(jaccard(words, sets[other]) >= similarity_min for other in candidates)
        for word in prefix:
            holders.setdefault(word, []).append(row)
        seen.add(words)
    return found
