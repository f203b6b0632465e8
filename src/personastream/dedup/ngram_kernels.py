"""The loops of `ngrams`, compiled. `ngram_arrays` finds the same with numpy alone.

Of each place of a row the key of the n-gram that begins there follows from two prefixes: see `grams.key_of`. The upper
bits of a key name a bit of a filter, which is small enough to stay in the cache and turns nearly all of them away.
"""

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.constants import NGRAM_BASE
from personastream.dedup.grams import Grams, Hashes, Starts
from personastream.dedup.jit import jit
from personastream.dedup.word_kernels import longest

_U = np.uint64
_NONE, _ONE, _LOW_SIX, _SIX = _U(0), _U(1), _U(63), _U(6)


@jit
def _set_prefixes(tokens: Hashes, prefixes: Hashes) -> None:
    total = _NONE
    prefixes[0] = total
    for place in range(len(tokens)):
        total = total * NGRAM_BASE + tokens[place]
        prefixes[place + 1] = total


@jit
def _gram(grams: Grams, key: np.uint64) -> int:
    """The number of the n-gram with that key, or -1."""
    bit = key >> grams.filter_shift
    if (grams.filter[bit >> _SIX] >> (bit & _LOW_SIX)) & _ONE == _NONE:
        return -1
    slot = np.int64(key >> grams.slot_shift)
    while grams.slots[slot] >= 0:
        if grams.keys[grams.slots[slot]] == key:
            return int(grams.slots[slot])
        slot += 1
    return -1


@jit
def _count(grams: Grams, gram: int, size: int, row: int, seen_in: Starts, covered: NDArray[np.int64]) -> int:
    """Count what an n-gram covers of items; the first of them that is covered as far as it needs to be, or -1.

    `seen_in` tells the row that last shared a token, `covered` for each item that row and how many it shares.
    """
    for posting in range(grams.posting_starts[gram], grams.posting_starts[gram + 1]):
        item, offset = grams.items[posting], grams.offsets[posting]
        if covered[item, 0] != row:
            covered[item, 0], covered[item, 1] = row, 0
        for token in range(offset, offset + size):
            if seen_in[token] != row:
                seen_in[token] = row
                covered[item, 1] += 1
        if covered[item, 1] >= grams.needed[item]:
            return int(item)
    return -1


@jit
def _starts_short(grams: Grams, key: np.uint64) -> bool:
    """Whether the least n-gram with that key may begin one that is shorter than the full size."""
    bit = key >> grams.short_shift
    return bool((grams.short_filter[bit >> _SIX] >> (bit & _LOW_SIX)) & _ONE != _NONE)


@jit
def _find(tokens: int, grams: Grams, prefixes: Hashes, row: int, seen_in: Starts, covered: NDArray[np.int64]) -> int:
    """The item that a row of so many tokens holds, or -1. At each place the longest n-gram comes first."""
    full, least = len(grams.sizes) - 1, grams.sizes[0]
    for place in range(tokens - least + 1):
        key = prefixes[place + least] - prefixes[place] * grams.powers[0]
        for kind in range(full, -1 if _starts_short(grams, key) else full - 1, -1):
            size = grams.sizes[kind]
            if place + size <= tokens and (size >= grams.anywhere_min or size == tokens):
                gram = _gram(grams, prefixes[place + size] - prefixes[place] * grams.powers[kind])
                item = _count(grams, gram, size, row, seen_in, covered) if gram >= 0 else -1
                if item >= 0:
                    return item
    return -1


@jit
def find(
    hashes: Hashes, starts: Starts, grams: Grams, first: int, seen_in: Starts, covered: NDArray[np.int64]
) -> NDArray[np.int64]:
    """See `ngrams.NgramKernels`."""
    found = np.full(len(starts) - 1, -1, np.int64)
    prefixes = np.empty(longest(starts[:-1], starts[1:]) + 2, np.uint64)
    for row in range(len(found)):
        tokens = starts[row + 1] - starts[row]
        if tokens >= grams.sizes[0]:
            _set_prefixes(hashes[starts[row] : starts[row + 1]], prefixes)
            found[row] = _find(tokens, grams, prefixes, first + row, seen_in, covered)
    return found


@jit
def _reach(tokens: int, place: int, grams: Grams, prefixes: Hashes) -> int:
    """The size of the longest n-gram that begins at a place of a row and is known, or 0."""
    full, least = len(grams.sizes) - 1, grams.sizes[0]
    if place + least > tokens:
        return 0
    key = prefixes[place + least] - prefixes[place] * grams.powers[0]
    for kind in range(full, -1 if _starts_short(grams, key) else full - 1, -1):
        size = grams.sizes[kind]
        if place + size <= tokens and _gram(grams, prefixes[place + size] - prefixes[place] * grams.powers[kind]) >= 0:
            return int(size)
    return 0


@jit
def overlap(hashes: Hashes, starts: Starts, grams: Grams) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """See `ngrams.NgramKernels`."""
    runs, covered = np.zeros(len(starts) - 1, np.int64), np.zeros(len(starts) - 1, np.int64)
    prefixes = np.empty(longest(starts[:-1], starts[1:]) + 2, np.uint64)
    for row in range(len(runs)):
        tokens = starts[row + 1] - starts[row]
        if tokens < grams.sizes[0]:
            continue
        _set_prefixes(hashes[starts[row] : starts[row + 1]], prefixes)
        begin, last, end = 0, -2, 0
        for place in range(tokens):
            reach = _reach(tokens, place, grams, prefixes)
            if reach:
                begin = begin if place == last + 1 else place
                last = place
                runs[row] = max(runs[row], place + reach - begin)
                covered[row] += max(0, place + reach - max(place, end))
                end = max(end, place + reach)
    return runs, covered
