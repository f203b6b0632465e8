"""Drops rows that are near copies of an earlier one: SimHash proposes, the words of both rows decide."""

from dataclasses import dataclass, field
from typing import BinaryIO

from personastream.dedup import BlockIndex, NearIndex, hash_words, simhash
from personastream.records import Batch
from personastream.settings import setting


@dataclass
class NearDedup:
    """Near deduplication by 64-bit SimHash over words and pairs of words; the earliest row of a group survives.

    A row is dropped only if a kept row lies within `distance_max` bits **and** shares enough of its words. A row
    without any word is never a near copy.
    """

    distance_max: int = setting(
        "Bits by which the 64-bit SimHash signatures of near copies may differ.", default=3, minimum=0, maximum=6
    )
    similarity_min: float = setting(
        "Jaccard similarity of the two rows' sets of words below which nothing is dropped.",
        default=0.8,
        minimum=0.0,
        maximum=1.0,
    )
    _index: NearIndex = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._index = BlockIndex(self.distance_max, self.similarity_min)

    @property
    def given_up(self) -> int:
        """Links left out of crowded index chains: pairs that only those would have shown are not found."""
        return self._index.given_up

    def __call__(self, batch: Batch) -> Batch:
        words = hash_words(batch.texts)
        new = words.counts == 0
        worded = ~new
        words = words.keep(worded)
        new[worded] = self._index.insert(simhash(words), words)
        return batch.keep(new.tolist(), "near_dedup")

    def save(self, file: BinaryIO) -> None:
        self._index.save(file)

    def load(self, file: BinaryIO) -> None:
        """Restore what `save` wrote. Raises `SnapshotDamaged`, and then nothing has changed."""
        self._index.load(file)
