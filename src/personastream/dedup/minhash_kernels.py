"""The loop of `minhash_index`, compiled: from MinHashes to the keys of bands."""

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.constants import SECOND_FACTOR, SECOND_FLIP, SKETCH_BITS_2
from personastream.dedup.jit import fold_product, jit
from personastream.dedup.lines import Number


@jit
def band_keys(
    minhashes: NDArray[np.uint32], sketches: NDArray[np.uint64], bands: Number, band_places: Number
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The keys of all rows and where those of each row start. A row has one a band; a row without words has none."""
    keys, starts = np.empty(len(minhashes) * bands, np.uint64), np.zeros(len(minhashes) + 1, np.int64)
    count = 0
    for row in range(len(minhashes)):
        if sketches[row, 1] >> np.uint64(SKETCH_BITS_2):
            for band in range(bands):
                key = np.uint64(0)
                for place in range(band * band_places, (band + 1) * band_places):
                    key = fold_product(key ^ np.uint64(minhashes[row, place]) ^ SECOND_FLIP, SECOND_FACTOR)
                keys[count] = fold_product(key ^ SECOND_FLIP, SECOND_FACTOR + np.uint64(band))
                count += 1
        starts[row + 1] = count
    return keys[:count], starts
