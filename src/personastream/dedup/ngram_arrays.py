"""The loops of `ngram_kernels` with numpy alone, for where numba is not installed: the same answers."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.grams import Grams, Hashes, Starts, window_keys


def find(
    hashes: Hashes, starts: Starts, grams: Grams, first: int, seen_in: Starts, covered: NDArray[np.int64]
) -> NDArray[np.int64]:
    """See `ngrams.NgramKernels`. Needs no scratch."""
    found = np.full(len(starts) - 1, -1, np.int64)
    counts = np.diff(starts)
    shares: defaultdict[tuple[int, int], set[int]] = defaultdict(set)
    for row, _, size, gram in sorted(hits(hashes, starts, grams), key=_longest_first):
        if found[row] >= 0 or (size < grams.anywhere_min and size != counts[row]):
            continue
        for posting in range(grams.posting_starts[gram], grams.posting_starts[gram + 1]):
            item, offset = int(grams.items[posting]), int(grams.offsets[posting])
            shared = shares[row, item]
            shared.update(range(offset, offset + size))
            if len(shared) >= grams.needed[item]:
                found[row] = item
                break
    return found


def overlap(hashes: Hashes, starts: Starts, grams: Grams) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """See `ngrams.NgramKernels`."""
    runs, covered = np.zeros(len(starts) - 1, np.int64), np.zeros(len(starts) - 1, np.int64)
    reaches: defaultdict[int, dict[int, int]] = defaultdict(dict)
    for row, place, size, _ in hits(hashes, starts, grams):
        reaches[row][place] = size  # sizes ascend: the longest is the last
    for row, reach_of in reaches.items():
        begin, last, inside = 0, -2, set[int]()
        for place, reach in sorted(reach_of.items()):
            begin = begin if place == last + 1 else place
            last = place
            runs[row] = max(runs[row], place + reach - begin)
            inside.update(range(place, place + reach))
        covered[row] = len(inside)
    return runs, covered


def hits(hashes: Hashes, starts: Starts, grams: Grams) -> Iterator[tuple[int, int, int, int]]:
    """Row, place in it, size and number of each n-gram that is known, by size."""
    row_of = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    for size in grams.sizes.tolist():
        keys = window_keys(hashes, size)
        places = np.minimum(np.searchsorted(grams.keys, keys), max(0, len(grams.keys) - 1))
        is_known = grams.keys[places] == keys if len(grams.keys) else np.zeros(len(keys), np.bool_)
        fits = np.arange(len(hashes)) + size <= starts[1:][row_of]
        for place in (is_known & fits).nonzero()[0].tolist():
            row = int(row_of[place])
            yield row, place - int(starts[row]), size, int(places[place])


def _longest_first(hit: tuple[int, int, int, int]) -> tuple[int, int, int]:
    row, place, size, _ = hit
    return row, place, -size
