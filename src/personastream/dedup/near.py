"""Which rows are near copies of an earlier one: candidates by SimHash, verdicts by their words.

A signature only proposes. A row is a near copy if some kept row lies within `distance_max` bits of it **and** the
Jaccard similarity of their sets of word hashes is at least `similarity_min`. Rows are compared with kept rows only,
in order, so the earliest row of a group survives and nothing is dropped by way of a dropped row.

Every kept row within `distance_max` is found, by the general pigeonhole principle (Qin, Wang, Xiao and others, GPH,
ICDE 2018): split the 64 bits into three blocks and allow each `flips` bits of difference, with the sum of `flips + 1`
equal to `distance_max + 1`. Were every block further apart than that, the whole would be further than
`distance_max`; so some block is within its flips, and looking up its value and all flipped values finds the pair.
For distances 0 to 6 that takes 1, 2, 3, 25, 46, 67 and 298 look-ups a row. Few other rows turn up: random signatures
share a block with one row in 2 or 4 million, those of real personas 2 to 8 times as often.

Texts made from few templates may crowd one block value. A chain takes 255 rows; links given up beyond that are
counted in `given_up`. A row left out of one chain is still found through the two others.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.chains import CHAIN_ROWS_MAX, Block, Chains, Mark, Signatures
from personastream.dedup.columns import Column
from personastream.dedup.evidence import Evidence, jaccard
from personastream.dedup.hashes import WordRows
from personastream.dedup.snapshot import SnapshotDamaged, read_snapshot, write_snapshot

_BLOCK_BITS = (22, 21, 21)
_STEP_ROWS = 2048
_WORD_SETS_MAX = 1024  # rows of one crowd are compared with the same few hundred rows: the chains of three blocks


class NearIndex(Protocol):
    """Remembers the rows it has not seen the like of."""

    given_up: int

    def insert(self, signatures: Signatures, words: WordRows) -> NDArray[np.bool_]:
        """True for each row that is no near copy of a kept one before it; such rows are kept from now on.

        Every row has at least one word. The answers depend on the rows so far, not on how they were batched.
        """

    def __len__(self) -> int:
        """Rows kept."""

    def save(self, file: BinaryIO) -> None: ...

    def load(self, file: BinaryIO) -> None:
        """Become what was saved. Raises `SnapshotDamaged` and stays as it was."""


class BlockIndex:
    """A `NearIndex` in memory: tables of some 40 MB, then 28 bytes a row and 8 a word.

    `given_up` counts links left out because their chain was full.
    """

    def __init__(
        self,
        distance_max: int,
        similarity_min: float,
        *,
        chain_rows_max: int = CHAIN_ROWS_MAX,
        block_bits: Sequence[int] = _BLOCK_BITS,
    ) -> None:
        self._distance_max = distance_max
        self._similarity_min = similarity_min
        self._chain_rows_max = chain_rows_max
        self._blocks = plan_blocks(distance_max, block_bits)
        self._label = f"near {distance_max} {float(similarity_min)} {chain_rows_max} {tuple(block_bits)}"
        self._clear()

    def __len__(self) -> int:
        return len(self._signatures)

    def insert(self, signatures: Signatures, words: WordRows) -> NDArray[np.bool_]:
        kept = np.empty(len(signatures), np.bool_)
        start = 0
        while start < len(signatures):
            step = signatures[start : start + _STEP_ROWS]
            stop = start + min(chains.room(step) for chains in self._chains)
            kept[start:stop] = self._insert_step(signatures[start:stop], words.part(start, stop))
            start = stop
        return kept

    def save(self, file: BinaryIO) -> None:
        words = self._evidence.rows()
        write_snapshot(file, self._label, (self._signatures.values, words.counts.astype(np.uint64), words.hashes))

    def load(self, file: BinaryIO) -> None:
        signatures, counts, hashes = read_snapshot(file, self._label, arrays=3)
        if len(signatures) != len(counts) or int(counts.sum()) != len(hashes):
            raise SnapshotDamaged("the parts of a near-dedup snapshot disagree")
        self._clear()
        _, self.given_up = self._append(signatures, WordRows(hashes, counts.astype(np.int64)))

    def _clear(self) -> None:
        self._signatures = Column(np.uint64)
        self._evidence = Evidence()
        self._chains = [Chains(block, self._chain_rows_max) for block in self._blocks]
        self.given_up = 0

    def _insert_step(self, signatures: Signatures, words: WordRows) -> NDArray[np.bool_]:
        """Insert rows among which no chain fills up: all at first, so that they find each other, then the kept.

        Where a chain fills up depends on which rows are kept; `room` ends the step before that could matter.
        """
        first = len(self)
        marks, refused = self._append(signatures, words)
        kept = self._judge(first)
        if not kept.all():
            self._truncate(first, marks)
            _, refused = self._append(signatures[kept], words.keep(kept))
        self.given_up += refused
        return kept

    def _append(self, signatures: Signatures, words: WordRows) -> tuple[list[Mark], int]:
        self._signatures.append(signatures)
        self._evidence.append(words)
        marks, refused = zip(*(chains.link(signatures) for chains in self._chains), strict=True)
        return list(marks), sum(refused)

    def _truncate(self, rows: int, marks: list[Mark]) -> None:
        self._signatures.truncate(rows)
        self._evidence.truncate(rows)
        for chains, mark in zip(self._chains, marks, strict=True):
            chains.unlink(mark)

    def _judge(self, first: int) -> NDArray[np.bool_]:
        """Which rows from `first` on are kept."""
        kept = [True] * (len(self) - first)
        words_of = lru_cache(_WORD_SETS_MAX)(self._evidence.words_of)
        for row, candidate in self._candidates(first):
            if kept[row - first] and (candidate < first or kept[candidate - first]):
                similarity = jaccard(words_of(row), words_of(candidate))
                kept[row - first] = similarity < self._similarity_min
        return np.array(kept, np.bool_)

    def _candidates(self, first: int) -> Iterator[tuple[int, int]]:
        """Pairs (row from `first` on, an earlier row within the distance), by row, then candidate."""
        found = [chains.neighbours(self._signatures.values, first, self._distance_max) for chains in self._chains]
        rows = np.concatenate([rows for rows, _ in found])
        candidates = np.concatenate([candidates for _, candidates in found])
        pairs = np.unique((rows << 32) | candidates)
        return zip((pairs >> 32).tolist(), (pairs & 0xFFFF_FFFF).tolist(), strict=True)


def plan_blocks(distance_max: int, block_bits: Sequence[int] = _BLOCK_BITS) -> list[Block]:
    """The blocks to look up, and with how many flips, to find every pair within `distance_max` bits.

    Flips are spread as evenly as they go; a block that would get less than none is not needed.
    """
    each, more = divmod(distance_max + 1, len(block_bits))
    starts = accumulate(block_bits, initial=0)
    flips = (each + (place < more) - 1 for place in range(len(block_bits)))
    blocks = map(Block, starts, block_bits, flips)
    return [block for block in blocks if block.flips >= 0]
