"""Drops rows that are near copies of an earlier one: a signature or keys propose, both rows' words decide."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.jaccard_index import JaccardIndex
from personastream.dedup.minhash import minhash
from personastream.dedup.minhash_index import MinhashIndex
from personastream.dedup.simhash_index import SimhashIndex
from personastream.dedup.sketch import signatures_and_sketches, sketches
from personastream.dedup.words import hash_words
from personastream.errors import ConfigError
from personastream.records import Batch
from personastream.settings import setting
from personastream.transforms.scratch_rows import scratch_rows

_SET_SIMILARITY_MIN = 0.5


@dataclass
class NearDedup:
    """Near deduplication; the earliest row of a group survives. Rows without any word are never near copies.

    `simhash` finds rows whose 64-bit signatures lie within `distance_max` bits, and costs 14 bytes a row and 29 of
    evidence, the latter in a scratch file beyond ten million rows. `jaccard` finds all rows with so similar sets of
    words, for some 35 bytes a row and 50 to 80 of evidence. `minhash` is the classical way to the latter, slower and
    larger. What `simhash` finds is dropped if sketches of both rows allow the similarity asked for; by the others, if
    their words have it.
    """

    method: str = setting(
        "How near copies are found: `simhash`, `jaccard` or `minhash`.",
        default="simhash",
        choices=("simhash", "jaccard", "minhash"),
    )
    distance_max: int = setting(
        "Bits by which the 64-bit SimHash signatures of near copies may differ; for `simhash` only. From 4 on a row "
        "costs several times as much.",
        default=3,
        minimum=0,
        maximum=6,
    )
    similarity_min: float = setting(
        "Jaccard similarity of the two rows' sets of words below which nothing is dropped. For `jaccard` and `minhash` "
        "it alone decides, 0.9 is usual there, and 0.5 the least.",
        default=0.8,
        minimum=0.0,
        maximum=1.0,
    )
    pairs: bool = setting(
        "Let SimHash see pairs of adjacent words too, not words alone: order counts, and fewer rows are dropped.",
        default=True,
    )
    scratch: str = setting(
        "Folder for the scratch file of `simhash`; empty: the system's folder for temporary files.",
        default="",
        identity=False,
        path=True,
    )
    _rows_expected: int = field(init=False, repr=False, default=0)

    def __post_init__(self) -> None:
        if self.method != "simhash" and self.similarity_min < _SET_SIMILARITY_MIN:
            raise ConfigError(
                f"near_dedup: similarity_min is {self.similarity_min:g}; for `{self.method}` it is at least 0.5",
                hint='Set it to 0.9, which is usual, or use method = "simhash".',
            )

    @cached_property
    def _index(self) -> SimhashIndex | JaccardIndex | MinhashIndex:
        try:
            if self.method == "jaccard":
                return JaccardIndex(self._rows_expected, self.similarity_min)
            if self.method == "minhash":
                return MinhashIndex(self._rows_expected, self.similarity_min)
            room = partial(scratch_rows, folder=self.scratch)
            return SimhashIndex(self._rows_expected, self.distance_max, self.similarity_min, room)
        except MemoryError as error:
            raise ConfigError(
                f"there is no memory for a near-dedup index of {self._rows_expected:,} rows: {error}",
                hint="`simhash` takes 14 bytes a row and 29 of evidence. Split the input into several runs.",
            ) from error

    @property
    def given_up(self) -> int:
        """Index entries left out of crowded lines: pairs that only those would have shown are not found."""
        return self._index.given_up

    @property
    def index_bytes(self) -> int:
        """Memory of the index, evidence included, be that in a file or not."""
        return self._index.size_bytes + self._index.evidence_bytes

    def __call__(self, batch: Batch) -> Batch:
        return batch.keep(self._insert(batch.texts).tobytes(), "near_dedup")

    def expect(self, rows: int) -> None:
        self._rows_expected = rows

    def learnt(self) -> bytes:
        return self._index.learnt()

    def learn(self, records: bytes) -> None:
        self._index.learn(records)

    def _insert(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        index = self._index
        if isinstance(index, SimhashIndex):
            signatures, evidence, _ = signatures_and_sketches(texts, self.pairs)
            return index.insert(signatures, evidence)
        words = hash_words(texts)
        if isinstance(index, JaccardIndex):
            return index.insert(words)
        return index.insert(words, minhash(words), sketches(words))
