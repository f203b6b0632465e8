"""Which rows share so many of their words with an earlier one: classical MinHash banding, verified by words.

Two rows agree in each place of their MinHashes with probability J, their Jaccard similarity (Broder 1997). Places are
grouped into b bands of r; a band in which all places agree makes two rows candidates, so a pair is found with
probability 1 - (1 - J^r)^b (Indyk, Motwani 1998). Of all bandings that find a pair exactly at `similarity_min` with
probability 0.998, that with the longest bands is taken, as it has the fewest other candidates: 14 bands of 9 for 0.9,
21 of 6 for 0.8. More similar pairs are found more surely.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.candidates import Candidates, SetIndex
from personastream.dedup.words import Words

_FOUND_MIN = 0.998
_PLACES = 128


class MinhashIndex(SetIndex):
    """Remembers the rows it has not seen the like of; `candidates` tells what it costs and gives up.

    `similarity_min` is 0.5 to 1; `places` how many values a MinHash has. Raises `ConfigError` without numba.
    """

    def __init__(self, rows_expected: int = 0, similarity_min: float = 0.9, places: int = _PLACES) -> None:
        self.bands, self.band_places = choose_bands(similarity_min, places)
        super().__init__(Candidates(rows_expected, similarity_min, self.bands))
        from personastream.dedup import mark_kernels, minhash_kernels

        self._kernels: Any = minhash_kernels
        self._marks: Any = mark_kernels.marks

    def insert(self, words: Words, minhashes: NDArray[np.uint32], sketches: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """True for each row that is no near copy of a kept one before it; such rows are kept from now on.

        `minhashes` is uint32[n, places], `sketches` uint64[n, 2]. A row without words is no near copy, and is not
        kept. The answers depend on the rows so far, not on how they were batched.
        """
        keys, starts = self._kernels.band_keys(minhashes, sketches, self.bands, self.band_places)
        return self._candidates.insert(keys, starts, sketches, *self._marks(words.hashes, words.starts))

    def learn(self, records: bytes) -> None:
        """Keep the rows that `learnt` told of. Raises `ValueError` if they cannot be such, and has learnt nothing."""
        self._candidates.learn(records, self.bands, self.bands)


def choose_bands(similarity_min: float, places: int) -> tuple[int, int]:
    """Number of bands, and places of each, for pairs of that similarity."""
    for band_places in range(places, 1, -1):
        bands = places // band_places
        if 1 - (1 - similarity_min**band_places) ** bands >= _FOUND_MIN:
            return bands, band_places
    return places, 1
