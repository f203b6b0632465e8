"""Do unlike personas give unlike texts? The experiment of Fig. 10 of the Persona Hub paper (arXiv 2406.20094).

Pairs of personas at given similarities are drawn, and how alike the texts made of them are is told beside it. With an
embeddings service similarity is the cosine of vectors; without one it is the share of words in common (Jaccard),
which is another scale: the paper's figures say nothing of it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from personastream.ports import Embedder
from personastream.report.figures.statistics import box
from personastream.report.figures.word_sets import jaccard, to_others, word_sets
from personastream.report.records import Item

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Row = NDArray[np.float32]

PERSONAS_MAX = 2_000
PAIRS_MAX = 100
"""At each similarity, as in the paper."""

PAPER: Mapping[float, tuple[float, float, float, float, float]] = {
    0.4: (0.08, 0.21, 0.28, 0.34, 0.58),
    0.6: (0.17, 0.38, 0.45, 0.55, 0.72),
    0.8: (0.37, 0.51, 0.59, 0.68, 0.90),
}
"""Least, quartiles and greatest similarity of problems, as Fig. 10 (a) prints them, by that of the personas."""


@dataclass(frozen=True, slots=True)
class Levels:
    """Similarities at which pairs are drawn, and how far off a pair may be."""

    at: tuple[float, ...]
    within: float


COSINE = Levels(tuple(PAPER), 0.01)
LEXICAL = Levels((0.1, 0.2, 0.3, 0.4, 0.5), 0.025)


def similarity_figures(items: Sequence[Item], seed: int, embedder: Embedder | None) -> dict[str, Any] | None:
    """Boxes of text similarity by persona similarity; None if records do not hold what they were made of.

    Raises `RunError` if the embeddings service fails.
    """
    chosen = _distinct_inputs(items, seed)
    if len(chosen) < 2:
        return None
    if embedder is None:
        return _lexical(chosen, seed)
    chosen, matrix = _embedded(chosen, [_given(item) for item in chosen], embedder)
    if len(chosen) < 2:
        return None
    pairs, found = draw_pairs(len(chosen), lambda row: matrix[row + 1 :] @ matrix[row], COSINE, seed)
    used = sorted({place for level in pairs for pair in level for place in pair})
    kept, vectors = _embedded(used, [chosen[place].output.text for place in used], embedder)
    row_of = {place: row for row, place in enumerate(kept)}
    alike = [
        [float(vectors[row_of[one]] @ vectors[row_of[other]]) for one, other in level if {one, other} <= row_of.keys()]
        for level in pairs
    ]
    return _told("cosine", len(chosen), COSINE, found, alike)


def draw_pairs(
    rows: int, following: "Callable[[int], Row]", levels: Levels, seed: int
) -> tuple[list[list[tuple[int, int]]], list[int]]:
    """Of all pairs of rows, at most `PAIRS_MAX` at each level, each pair as likely as another; and how many there are.

    `following` gives the similarities of a row to all rows behind it.
    """
    import numpy as np

    random = np.random.default_rng(seed)
    drawn: list[list[tuple[float, int, int]]] = [[] for _ in levels.at]
    found = [0] * len(levels.at)
    for row in range(rows - 1):
        similarities = following(row)
        for place, level in enumerate(levels.at):
            near = np.flatnonzero(np.abs(similarities - level) <= levels.within)
            if not len(near):
                continue
            found[place] += len(near)
            ranks = random.random(len(near))
            drawn[place] += zip(ranks.tolist(), [row] * len(near), (near + row + 1).tolist(), strict=True)
            if len(drawn[place]) > 10 * PAIRS_MAX:
                drawn[place] = sorted(drawn[place])[:PAIRS_MAX]
    return [[(one, other) for _, one, other in sorted(level)[:PAIRS_MAX]] for level in drawn], found


def _distinct_inputs(items: Sequence[Item], seed: int) -> list[Item]:
    """Records with an input of their own each, at most `PERSONAS_MAX`."""
    distinct = list({_given(item): item for item in items if item.input is not None}.values())
    if len(distinct) <= PERSONAS_MAX:
        return distinct
    return Random(f"{seed}:personas").sample(distinct, PERSONAS_MAX)


def _embedded(members: Sequence[Any], texts: Sequence[str], embedder: Embedder) -> tuple[list[Any], "Row"]:
    """The members for whose texts there are vectors, and these, of length one each."""
    import numpy as np

    vectors = embedder(texts)
    kept = [(member, vector) for member, vector in zip(members, vectors, strict=True) if vector is not None]
    if not kept:
        return [], np.empty((0, 1), np.float32)
    matrix = np.stack([vector for _, vector in kept]).astype(np.float32)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return [member for member, _ in kept], (matrix / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def _lexical(chosen: Sequence[Item], seed: int) -> dict[str, Any]:
    from personastream.dedup.words import hash_words

    given = word_sets(hash_words([_given(item) for item in chosen]))
    made = word_sets(hash_words([item.output.text for item in chosen]))
    similarities = to_others(given)
    pairs, found = draw_pairs(len(chosen), lambda row: similarities(row)[row + 1 :], LEXICAL, seed)
    alike = [[jaccard(made[one], made[other]) for one, other in level] for level in pairs]
    return _told("words", len(chosen), LEXICAL, found, alike)


def _told(
    scale: str, personas: int, levels: Levels, found: Sequence[int], alike: Sequence[Sequence[float]]
) -> dict[str, Any]:
    told = [
        {"personas_alike": level, "pairs_found": pairs, "box": box(values)}
        for level, pairs, values in zip(levels.at, found, alike, strict=True)
    ]
    return {"scale": scale, "personas": personas, "within": levels.within, "levels": told}


def _given(item: Item) -> str:
    return item.input.text if item.input is not None else ""
