"""Which texts hold passages of others: a set of n-grams of their tokens.

    index = NgramIndex(["…", "…"], size=13)
    index.find(["…"])       # for each text the number of an item that it holds, or -1

By `share_min` 0 a text holds an item if it shares any n-gram with it; else, if n-grams that it shares cover that share
of the item's tokens, as in the decontamination of Tulu 3 (8-grams, one half). Items shorter than an n-gram are held by
texts in which all their tokens stand in a row.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.grams import Grams, Hashes, Starts, grams_of
from personastream.dedup.ngram_arrays import hits
from personastream.dedup.text import STEP_ROWS
from personastream.dedup.tokens import hash_tokens, split_tokens
from personastream.dedup.words import Words

ANYWHERE_MIN = 3
"""An item of fewer tokens is held only by a text that is nothing else."""


class NgramKernels(Protocol):
    """Loops over rows of token hashes: row i is `hashes` from `starts[i]` to `starts[i + 1]`."""

    def find(
        self, hashes: Hashes, starts: Starts, grams: Grams, first: int, seen_in: Starts, covered: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """An item that each row holds, or -1: the first that does, from its first token on.

        The last two are scratch: for each token of the items the row that last shared it, and for each item that row
        and how many of its tokens it shares. Rows are numbered from `first`, each time from where the last call ended.
        """

    def overlap(self, hashes: Hashes, starts: Starts, grams: Grams) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The longest run of tokens of each row within n-grams that are known, each begun one token after the one
        before; and how many of its tokens lie within any.
        """


class Holding(NamedTuple):
    """An item that a text holds, the share of its tokens that n-grams of both cover, and the longest passage of both
    as tokens.
    """

    item: int
    share: float
    passage: str


class NgramIndex:
    """The n-grams of `size` tokens of items. Not for several threads at once."""

    def __init__(
        self, items: Sequence[str], size: int, *, share_min: float = 0.0, anywhere_min: int = ANYWHERE_MIN
    ) -> None:
        self.tokens = hash_tokens(items)
        self._grams = grams_of(self.tokens, size, share_min, anywhere_min)
        self._seen_in = np.full(len(self.tokens.hashes), -1, np.int64)
        self._covered = np.full((len(self.tokens), 2), -1, np.int64)
        self._rows = 0

    def __len__(self) -> int:
        """Distinct n-grams."""
        return len(self._grams.keys)

    def find(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """For each text the number of an item that it holds, or -1."""

        def step(rows: Words) -> NDArray[np.int64]:
            first, self._rows = self._rows, self._rows + len(rows)
            scratch = self._seen_in, self._covered
            return ngram_kernels().find(rows.hashes, rows.starts, self._grams, first, *scratch)

        return _in_steps(texts, step)

    def holdings(self, text: str) -> list[Holding]:
        """All items that a text holds, by their number. Slow: for texts in which `find` has found one."""
        rows, tokens, grams = hash_tokens([text]), split_tokens(text), self._grams
        covered: defaultdict[int, set[int]] = defaultdict(set)
        places: defaultdict[int, set[int]] = defaultdict(set)
        for _, place, size, gram in hits(rows.hashes, rows.starts, grams):
            if size < grams.anywhere_min and size != len(rows.hashes):
                continue
            for posting in range(grams.posting_starts[gram], grams.posting_starts[gram + 1]):
                item, offset = int(grams.items[posting]), int(grams.offsets[posting])
                covered[item].update(range(offset, offset + size))
                places[item].update(range(place, place + size))
        counts = self.tokens.counts
        return [
            Holding(item, len(shared) / int(counts[item]), _longest(tokens, places[item]))
            for item, shared in sorted(covered.items())
            if len(shared) >= grams.needed[item]
        ]

    def overlap(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """For each text its longest run of tokens in shared n-grams, all its tokens in such, and all its tokens.

        int64[n, 3]. A run is of n-grams each of which begins one token after the one before.
        """

        def step(rows: Words) -> NDArray[np.int64]:
            return np.stack([*ngram_kernels().overlap(rows.hashes, rows.starts, self._grams), rows.counts], axis=1)

        return _in_steps(texts, step, np.empty((0, 3), np.int64))


def _longest(tokens: Sequence[str], places: set[int]) -> str:
    """The longest run of tokens at these places."""
    begin, best = 0, range(0)
    for place in sorted(places):
        begin = begin if place - 1 in places else place
        best = max(best, range(begin, place + 1), key=len)
    return " ".join(tokens[best.start : best.stop])


def _in_steps(
    texts: Sequence[str], step: Callable[[Words], NDArray[np.int64]], nothing: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    parts = [step(hash_tokens(texts[start : start + STEP_ROWS])) for start in range(0, len(texts), STEP_ROWS)]
    if parts:
        return np.concatenate(parts)
    return np.empty(0, np.int64) if nothing is None else nothing


@cache
def ngram_kernels() -> NgramKernels:
    """The loops; the first call imports them."""
    module: Any
    try:
        module = import_module("personastream.dedup.ngram_kernels")
    except ImportError:
        module = import_module("personastream.dedup.ngram_arrays")
    return cast(NgramKernels, module)
