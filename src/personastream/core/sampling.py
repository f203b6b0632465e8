"""Seeded sampling: whether a row is in the sample depends on its shard's stem, its number and the seed alone."""

from dataclasses import dataclass

import numpy as np
import xxhash

_ALL = 1 << 64


@dataclass(frozen=True, slots=True)
class Sampling:
    """Takes about `share` of the rows, each by a hash of its own: whatever order rows come in, in whatever batches."""

    share: float
    seed: int = 0

    def taken(self, stem: str, start: int, count: int) -> list[bool]:
        """Which of the rows `start` to `start + count - 1` of shard `stem` are in the sample.

        The hash is splitmix64 of the row's number, begun at a key of stem and seed.
        """
        threshold = round(self.share * _ALL)
        if threshold >= _ALL:
            return [True] * count
        key = np.uint64(xxhash.xxh3_64_intdigest(f"{self.seed} {stem}".encode("utf-8", "surrogateescape")))
        state = np.arange(start, start + count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + key
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        taken: list[bool] = ((state ^ (state >> np.uint64(31))) < np.uint64(threshold)).tolist()
        return taken
