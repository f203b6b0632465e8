"""The word hashes of kept rows: what a verdict is based on."""

import numpy as np

from personastream.dedup.columns import Column
from personastream.dedup.hashes import WordRows


class Evidence:
    """Word hashes of each row, as they came: 8 bytes a word and 8 a row."""

    def __init__(self) -> None:
        self._hashes = Column(np.uint64)
        self._ends = Column(np.int64)

    def append(self, words: WordRows) -> None:
        """Add rows at the end."""
        self._ends.append(np.cumsum(words.counts) + len(self._hashes))
        self._hashes.append(words.hashes)

    def truncate(self, rows: int) -> None:
        """Forget all but the first `rows` rows."""
        self._ends.truncate(rows)
        self._hashes.truncate(self._start(rows))

    def rows(self) -> WordRows:
        """Everything, as one `WordRows`."""
        return WordRows(self._hashes.values, np.diff(self._ends.values, prepend=0))

    def words_of(self, row: int) -> set[int]:
        """The distinct word hashes of one row."""
        return set(self._hashes.values[self._start(row) : self._start(row + 1)].tolist())

    def _start(self, row: int) -> int:
        return int(self._ends.values[row - 1]) if row else 0


def jaccard(a: set[int], b: set[int]) -> float:
    """Size of the intersection over size of the union; at least one of the sets is not empty."""
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared)
