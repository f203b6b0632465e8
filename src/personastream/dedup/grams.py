"""The n-grams of a set of texts, its items, as arrays in which rows are looked up.

The key of the n-gram t1 … tk of token hashes is t1 * B^(k-1) + … + tk mod 2^64, so that it follows from the prefixes of
a row: key(i, k) = prefix(i + k) - prefix(i) * B^k. Two different n-grams share a key with probability 2^-64.

Slots are a table with linear probing: as keys are entered in their order, entry i goes to the place
i + max(home(j) - j for j <= i), which never wraps round.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.constants import NGRAM_BASE
from personastream.dedup.tokens import small_numbers
from personastream.dedup.words import Words

Hashes = NDArray[np.uint64]
Starts = NDArray[np.int64]

_FILTER_BITS_PER_GRAM = 32
_FILTER_BITS = (16, 27)
"""The least and the most, as powers of two."""
_WORDS_SHARE = 4
"""An n-gram of which less than one token in so many is a word says little: counting up, coordinates, zeros."""


class Grams(NamedTuple):
    """`sizes` are the lengths of n-grams in tokens, ascending to the full one, `powers` are B^size.

    A key's upper bits name a bit of `filter`; if that is not set, there is no such n-gram. `short_filter` is for the
    first tokens, as many as the least size, of those below the full size.

    `keys` of all n-grams are sorted; `slots` hold the number of one or -1. N-gram g is found in `items` from
    `posting_starts[g]` to `posting_starts[g + 1]`, at `offsets`, which count the tokens of all items. A row holds an
    item if it shares `needed` of its tokens within n-grams; one of fewer than `anywhere_min` tokens, only if it is the
    whole row.
    """

    sizes: Starts
    powers: Hashes
    filter: Hashes
    filter_shift: np.uint64
    short_filter: Hashes
    short_shift: np.uint64
    keys: Hashes
    slots: NDArray[np.int32]
    slot_shift: np.uint64
    posting_starts: Starts
    items: NDArray[np.int32]
    offsets: Starts
    needed: Starts
    anywhere_min: int


def grams_of(items: Words, size: int, share_min: float, anywhere_min: int) -> Grams:
    """The n-grams of `size` tokens of items, and of shorter items all of them as one.

    An item is held by a row that shares `share_min` of its tokens; if that is 0, by one that shares any n-gram. Then
    n-grams that are next to all small numbers do not count, unless the item has no others.
    """
    counts = items.counts
    sizes = np.union1d(np.minimum(counts[counts > 0], size), [size]).astype(np.int64)
    places, keys = [], []
    for each in sizes.tolist():
        mask = _begins(items, each, whole=each < size)
        if share_min == 0 and each == size:
            mask = _telling(items, size, mask)
        places.append(mask.nonzero()[0])
        keys.append(window_keys(items.hashes, each)[places[-1]])
    place = np.concatenate([np.empty(0, np.int64), *places])
    unique, gram = np.unique(np.concatenate([np.empty(0, np.uint64), *keys]), return_inverse=True)
    order = np.argsort(gram, kind="stable")
    offsets = place[order]
    owners = np.searchsorted(items.starts, offsets, "right") - 1
    is_short = np.repeat((counts > 0) & (counts < size), counts)
    beginnings = window_keys(items.hashes, int(sizes[0]))[is_short & _is_first(items)]
    short_bits = _power(len(beginnings) * _FILTER_BITS_PER_GRAM, *_FILTER_BITS)
    filter_bits = _power(max(1, len(unique)) * _FILTER_BITS_PER_GRAM, *_FILTER_BITS)
    slot_bits = _power(2 * max(1, len(unique)), 4, 40)
    return Grams(
        sizes=sizes,
        powers=np.array([pow(int(NGRAM_BASE), each, 1 << 64) for each in sizes.tolist()], np.uint64),
        filter=_filter(unique, filter_bits),
        filter_shift=np.uint64(64 - filter_bits),
        short_filter=_filter(beginnings, short_bits),
        short_shift=np.uint64(64 - short_bits),
        keys=unique,
        slots=_slots(unique, slot_bits),
        slot_shift=np.uint64(64 - slot_bits),
        posting_starts=np.searchsorted(gram[order], np.arange(len(unique) + 1)).astype(np.int64),
        items=owners.astype(np.int32),
        offsets=offsets.astype(np.int64),
        needed=np.maximum(1, np.ceil(share_min * counts)).astype(np.int64),
        anywhere_min=min(anywhere_min, size),
    )


def window_keys(hashes: Hashes, size: int) -> Hashes:
    """The key of the `size` tokens that begin at each place; the last ones, which lack tokens, are not to be used."""
    keys = np.zeros(len(hashes), np.uint64)
    for step in range(min(size, len(hashes))):
        shifted = np.zeros(len(hashes), np.uint64)
        shifted[: len(hashes) - step] = hashes[step:]
        keys = keys * NGRAM_BASE + shifted
    return keys


def _is_first(items: Words) -> NDArray[np.bool_]:
    """Whether a token is the first of its item."""
    return np.asarray(np.repeat(items.starts[:-1], items.counts) == np.arange(len(items.hashes)))


def _begins(items: Words, size: int, *, whole: bool) -> NDArray[np.bool_]:
    """Where n-grams of a size begin: of `whole` items, or of all that are as long or longer."""
    counts = items.counts
    left = np.repeat(items.starts[1:], counts) - np.arange(len(items.hashes))
    if whole:
        return np.asarray((left == size) & np.repeat(counts == size, counts))
    return np.asarray(left >= size)


def _telling(items: Words, size: int, begins: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without n-grams that are next to all small numbers, but for items that have no others."""
    words = np.append(0, np.cumsum(~np.isin(items.hashes, small_numbers())))
    ends = np.minimum(np.arange(len(items.hashes)) + size, len(items.hashes))
    telling = begins & (_WORDS_SHARE * (words[ends] - words[:-1]) >= size)
    owner = np.repeat(np.arange(len(items)), items.counts)
    without = np.bincount(owner[telling], minlength=len(items)) == 0
    return np.asarray(telling | (begins & without[owner]))


def _power(count: int, least: int, most: int) -> int:
    """The least power of two that is not below `count`, within bounds."""
    return min(max((count - 1).bit_length(), least), most)


def _filter(keys: Hashes, bits: int) -> Hashes:
    marks = np.zeros(1 << bits, np.bool_)
    marks[(keys >> np.uint64(64 - bits)).astype(np.int64)] = True
    return np.packbits(marks, bitorder="little").view("<u8").astype(np.uint64)


def _slots(keys: Hashes, bits: int) -> NDArray[np.int32]:
    number = np.arange(len(keys))
    places = number + np.maximum.accumulate((keys >> np.uint64(64 - bits)).astype(np.int64) - number)
    slots = np.full(max(1 << bits, int(places.max(initial=0)) + 1) + 1, -1, np.int32)
    slots[places] = number
    return slots
