"""The loops of `jaccard_index`, compiled: from words to the keys of parts."""

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.constants import END_FACTOR, END_FLIP, SKETCH_SIZE_MAX
from personastream.dedup.jit import fold_product, inlined, jit, jit_bare
from personastream.dedup.lines import Number
from personastream.dedup.mark_kernels import FEW_WORDS_MAX, SEEN, Marks, add_marks, set_distinct, sort_distinct
from personastream.dedup.sketch_kernels import sketch

_SPLITS = 2
_HALF = np.uint64(32)
_LOW_HALF = np.uint64(0xFFFF_FFFF)

Words = NDArray[np.uint64]
Sizes = NDArray[np.int64]


@jit
def part_keys(
    hashes: Words, starts: Sizes, first: Sizes, last: Sizes, keys_max: Number
) -> tuple[Words, Sizes, Words, Marks, Sizes]:
    """The keys of all rows, at most `keys_max` in all, and where those of each row start; sketches; marks likewise.

    A row of s distinct words, 255 standing for more, belongs to the classes `first[s]` to `last[s]`.
    """
    rows, longest = len(starts) - 1, 0
    for row in range(rows):
        longest = max(longest, starts[row + 1] - starts[row])
    distinct, seen = np.empty(longest, np.uint64), np.full(SEEN, -1, np.int64)
    sums, used = np.empty(last[-1] + 1, np.uint64), np.empty(last[-1] + 1, np.bool_)
    keys, key_starts, count = np.empty(keys_max, np.uint64), np.zeros(rows + 1, np.int64), 0
    marks, mark_starts, marked = np.empty(len(hashes), np.uint16), np.zeros(rows + 1, np.int64), 0
    sketches = np.empty((rows, 2), np.uint64)
    for row in range(rows):
        if starts[row + 1] - starts[row] > FEW_WORDS_MAX:
            words = sort_distinct(hashes[starts[row] : starts[row + 1]], distinct)
        else:
            words = set_distinct(hashes, starts[row], starts[row + 1], distinct, seen)
        sketches[row, 0], sketches[row, 1] = sketch(distinct, words)
        if words:
            size = min(words, SKETCH_SIZE_MAX)
            count = _add_classes(distinct, words, first[size], last[size], sums, used, keys, count)
        key_starts[row + 1] = count
        marked = add_marks(distinct, words, marks, marked)
        mark_starts[row + 1] = marked
    return keys[:count], key_starts, sketches, marks[:marked], mark_starts


@jit_bare
def _add_classes(
    distinct: Words,
    words: Number,
    first: Number,
    last: Number,
    sums: Words,
    used: NDArray[np.bool_],
    keys: Words,
    count: Number,
) -> Number:
    """Add the keys of the parts of all classes from `first` to `last`. Returns how many keys there are."""
    for group in range(first, last + 1):
        count = _add_class(distinct, words, group, sums, used, keys, count)
    return count


@inlined
def _add_class(
    distinct: Words, words: Number, group: Number, sums: Words, used: NDArray[np.bool_], keys: Words, count: Number
) -> Number:
    """Add the keys of the parts of one class: sums of hashes, whatever their order. Returns how many keys there are.

    Parts are split by the low half of hashes; again, by the high half, if one of them is empty. Then an empty part
    counts like any other.
    """
    parts = group + 1
    for split in range(_SPLITS):
        sums[:parts] = np.uint64(0)
        used[:parts] = False
        shift = _HALF * np.uint64(split)
        for word in range(words):
            part = (((distinct[word] >> shift) & _LOW_HALF) * np.uint64(parts)) >> _HALF
            sums[part] += distinct[word]
            used[part] = True
        empty = False
        for part in range(parts):
            empty |= not used[part]
            if used[part] or split == _SPLITS - 1:
                name = np.uint64((split << 40) | (group << 20) | part)
                keys[count] = fold_product(sums[part] ^ END_FLIP, END_FACTOR + name)
                count += 1
        if not empty:
            break
    return count
