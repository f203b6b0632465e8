"""Rows that share a block of signature bits, as linked lists: the newest row of a block value, then the one before.

A table of heads is addressed by the block value itself, so nothing is hashed and nothing is ever rebuilt. Links and
look-ups are done for a whole batch at once. Rows count from 0; in the tables 0 is the end of a chain, so a row
stands there as its number plus one.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.columns import Column

Signatures = NDArray[np.uint64]
Rows = NDArray[np.intp]

CHAIN_ROWS_MAX = 255  # what a uint8 can count
_STEP_CHAIN_ROWS_MAX = 32  # rows of one step find each other pair by pair: keep that from growing quadratically


class Block(NamedTuple):
    """Bits `shift` to `shift + width - 1` of a signature, looked up with up to `flips` of them inverted."""

    shift: int
    width: int
    flips: int


class Mark(NamedTuple):
    """What the last `Chains.link` overwrote, for `Chains.unlink`."""

    size: int
    keys: Rows
    heads: NDArray[np.int32]
    lengths: NDArray[np.uint8]


class _Groups(NamedTuple):
    """Rows of a batch sorted by key, then number: `order` their places, `rank` how many of the key came before."""

    order: Rows
    keys: Rows
    rank: Rows


class Chains:
    """The chains of one block. A chain holds the earliest `chain_rows_max` (up to 255) rows of its block value."""

    def __init__(self, block: Block, chain_rows_max: int) -> None:
        self._block = block
        self._chain_rows_max = chain_rows_max
        self._patterns = flip_patterns(block)
        self._heads = np.zeros(1 << block.width, np.int32)
        self._lengths = np.zeros(1 << block.width, np.uint8)
        self._older = Column(np.int32)

    def room(self, signatures: Signatures) -> int:
        """How many rows can be linked, in order, before a chain takes more than 32 of them or comes to be full.

        Chains that are full already take none. The answer is at least 1 where there is a row.
        """
        order, keys, rank = _group(self._keys(signatures))
        space = self._chain_rows_max - self._lengths[keys].astype(np.intp)
        cut_off = order[(space > 0) & (rank >= np.minimum(space, _STEP_CHAIN_ROWS_MAX))]
        return int(cut_off.min(initial=len(signatures)))

    def link(self, signatures: Signatures) -> tuple[Mark, int]:
        """Add rows after those already there. Also returns how many were left out, their chain being full."""
        order, keys, rank = _group(self._keys(signatures))
        fits = self._lengths[keys] + rank < self._chain_rows_max
        order, keys, rank = order[fits], keys[fits], rank[fits]
        stored = order.astype(np.int32) + (len(self._older) + 1)
        newest = np.append(keys[1:] != keys[:-1], True)[: len(keys)]
        touched = keys[newest]
        mark = Mark(len(self._older), touched, self._heads[touched], self._lengths[touched])
        older = np.zeros(len(signatures), np.int32)
        older[order] = np.where(rank == 0, self._heads[keys], np.roll(stored, 1))
        self._older.append(older)
        self._heads[touched] = stored[newest]
        self._lengths[touched] += (rank[newest] + 1).astype(np.uint8)
        return mark, len(signatures) - len(order)

    def unlink(self, mark: Mark) -> None:
        """Undo the last `link`."""
        self._older.truncate(mark.size)
        self._heads[mark.keys] = mark.heads
        self._lengths[mark.keys] = mark.lengths

    def neighbours(self, signatures: Signatures, first: int, distance_max: int) -> tuple[Rows, Rows]:
        """Pairs (row from `first` on, an earlier row within `distance_max` of it), for `signatures` of all rows."""
        queries = signatures[first:]
        heads = self._heads.take(self._keys(queries)[:, None] ^ self._patterns).ravel()
        found = heads.nonzero()[0]
        query, candidate = found // len(self._patterns), heads.take(found) - 1
        rows, candidates = [query[:0]], [candidate[:0]]
        while len(query):
            distance = np.bitwise_count(queries.take(query) ^ signatures.take(candidate))
            near = (distance <= distance_max).nonzero()[0]
            rows.append(query.take(near))
            candidates.append(candidate.take(near))
            older = self._older.values.take(candidate)
            alive = older.nonzero()[0]
            query, candidate = query.take(alive), older.take(alive) - 1
        row, earlier = np.concatenate(rows) + first, np.concatenate(candidates).astype(np.intp)
        ordered = earlier < row
        return row[ordered], earlier[ordered]

    def _keys(self, signatures: Signatures) -> Rows:
        mask = np.uint64((1 << self._block.width) - 1)
        return ((signatures >> np.uint64(self._block.shift)) & mask).astype(np.intp)


def flip_patterns(block: Block) -> Rows:
    """All block values with at most `block.flips` bits set: what to XOR a key with."""
    bits = [1 << bit for bit in range(block.width)]
    patterns = [sum(chosen) for count in range(block.flips + 1) for chosen in combinations(bits, count)]
    return np.array(patterns, np.intp)


def _group(keys: Rows) -> _Groups:
    """Sort key and place as one number: numpy sorts plain integers several times faster than it argsorts."""
    places = np.arange(len(keys))
    packed = np.sort((keys << 32) | places)
    order, keys = packed & 0xFFFF_FFFF, packed >> 32
    begins = np.append(True, keys[1:] != keys[:-1])[: len(keys)]
    return _Groups(order, keys, places - np.maximum.accumulate(np.where(begins, places, 0)))
