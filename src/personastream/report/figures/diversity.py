"""How much the texts repeat: words, openings, whole texts. Figures depend on how many texts they are taken of."""

import math
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Any

from personastream.report.figures.statistics import shares, spread
from personastream.report.figures.word_sets import WordSet, copies, jaccard, to_others, word_sets

if TYPE_CHECKING:
    from personastream.dedup.words import Words

NGRAMS = (1, 2, 3, 4)
NGRAM_TEXTS_MAX = 2_000
"""Distinct shares fall as texts are added: figures of two runs can be compared if they are of as many texts."""
OPENING_WORDS = 3
OPENINGS_MAX = 10
OPENING_CHARACTERS_MAX = 60
PAIRS_MAX = 5_000
COMPRESSION_LEVEL = 10
NEAREST_TEXTS_MAX = 2_000
NEAR_SIMILARITY_MIN = 0.9

_MIX = 0x9E3779B97F4A7C15


def diversity_figures(texts: Sequence[str], seed: int) -> dict[str, Any] | None:
    """All figures of one kind of texts; None without texts."""
    if not texts:
        return None
    from personastream.dedup.words import hash_words

    random = Random(f"{seed}:diversity")
    order = random.sample(range(len(texts)), len(texts))
    mixed = [texts[place] for place in order]
    words = hash_words(mixed)
    sets = word_sets(words)
    some = words.part(0, min(NGRAM_TEXTS_MAX, len(mixed)))
    return {
        "texts": len(texts),
        "distinct": {"texts": len(some), "ngrams": [_distinct(some, length) for length in NGRAMS]},
        "compression": _compression(mixed),
        "self_similarity": _self_similarity(sets, random),
        "openings": _openings(mixed),
        "copies": _copies(mixed, words, sets),
    }


def _distinct(words: "Words", length: int) -> dict[str, Any]:
    """How many runs of so many words there are, and what share of them is distinct. No run goes across texts."""
    import numpy as np

    count = max(0, len(words.hashes) - length + 1)
    grams = np.zeros(count, np.uint64)
    for place in range(length):
        grams = (grams * np.uint64(_MIX)) ^ words.hashes[place : place + count]
    text_of = np.repeat(np.arange(len(words)), words.counts)
    inside = text_of[:count] == text_of[length - 1 : length - 1 + count]
    grams = grams[inside]
    distinct = len(np.unique(grams))
    return {
        "n": length,
        "total": len(grams),
        "distinct": distinct,
        "share": distinct / len(grams) if len(grams) else 0.0,
    }


def _compression(texts: Sequence[str]) -> dict[str, Any]:
    """How many times smaller zstd makes all texts together: the more they repeat each other, the more."""
    import zstandard

    raw = "\n".join(texts).encode("utf-8", "replace")
    parameters = zstandard.ZstdCompressionParameters.from_level(COMPRESSION_LEVEL, window_log=27)
    packed = len(zstandard.ZstdCompressor(compression_params=parameters).compress(raw))
    return {"raw_bytes": len(raw), "packed_bytes": packed, "ratio": len(raw) / packed, "level": COMPRESSION_LEVEL}


def _self_similarity(sets: Sequence[WordSet], random: Random) -> dict[str, Any] | None:
    """How alike two texts are, drawn at random, and how alike a text is to the one that is most like it."""
    if len(sets) < 2:
        return None
    pairs = [random.sample(range(len(sets)), 2) for _ in range(min(PAIRS_MAX, math.comb(len(sets), 2)))]
    some = sets[:NEAREST_TEXTS_MAX]
    similarities = to_others(some)
    nearest = []
    for row in range(len(some)):
        found = similarities(row)
        found[row] = 0
        nearest.append(float(found.max()))
    return {
        "pairs": spread(jaccard(sets[one], sets[other]) for one, other in pairs),
        "nearest": {"texts": len(some), "spread": spread(nearest), "histogram": _twentieths(nearest)},
    }


def _twentieths(values: Sequence[float]) -> list[int]:
    """How many values lie in each twentieth of the way from 0 to 1."""
    found = Counter(min(int(value * 20 + 1e-6), 19) for value in values)
    return [found[place] for place in range(20)]


def _openings(texts: Sequence[str]) -> dict[str, Any]:
    """The first words of the texts, by how often they come."""
    found = Counter(_opening(text) for text in texts)
    return {
        "words": OPENING_WORDS,
        "distinct": len(found),
        "distinct_share": len(found) / len(texts),
        "commonest": shares(found, OPENINGS_MAX),
    }


def _opening(text: str) -> str:
    words = text[: 20 * OPENING_CHARACTERS_MAX].split(maxsplit=OPENING_WORDS)[:OPENING_WORDS]
    return " ".join(words)[:OPENING_CHARACTERS_MAX] or "(nothing)"


def _copies(texts: Sequence[str], words: "Words", sets: Sequence[WordSet]) -> dict[str, Any]:
    """Texts that repeat an earlier one: letter for letter but for spacing and case, or in nearly all of their words.

    For the latter the index of `near_dedup` proposes; of long texts it proposes too many, so the sets decide.
    """
    from personastream.dedup.jaccard_index import JaccardIndex
    from personastream.dedup.keys import hash_texts

    exact = len(texts) - len(set(hash_texts(texts).tolist()))
    new = JaccardIndex(len(texts), NEAR_SIMILARITY_MIN).insert(words)
    near = copies(sets, NEAR_SIMILARITY_MIN, (~new).tolist())
    return {
        "texts": len(texts),
        "exact": exact,
        "exact_share": exact / len(texts),
        "near": near,
        "near_share": near / len(texts),
        "similarity_min": NEAR_SIMILARITY_MIN,
    }
