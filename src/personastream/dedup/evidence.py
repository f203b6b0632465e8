"""The word hashes of kept rows: what a verdict is based on."""

import numpy as np

from personastream.dedup.columns import Column
from personastream.dedup.hashes import WordRows


class Evidence:
    """Word hashes of each row, as they came: 8 bytes a word and 8 a row."""

    def __init__(self) -> None:
        self._hashes = Column(np.uint64)
        self._bounds = Column(np.int64)
        self._bounds.append(np.zeros(1, np.int64))

    def append(self, words: WordRows) -> None:
        """Add rows at the end."""
        self._bounds.append(np.cumsum(words.counts) + len(self._hashes))
        self._hashes.append(words.hashes)

    def truncate(self, rows: int) -> None:
        """Forget all but the first `rows` rows."""
        self._bounds.truncate(rows + 1)
        self._hashes.truncate(int(self._bounds.values[rows]))

    def rows(self) -> WordRows:
        """Everything, as one `WordRows`."""
        return WordRows(self._hashes.values, np.diff(self._bounds.values))

    def words_of(self, row: int) -> set[int]:
        """The distinct word hashes of one row."""
        start, stop = self._bounds.values[row : row + 2].tolist()
        return set(self._hashes.values[start:stop].tolist())


def jaccard(a: set[int], b: set[int]) -> float:
    """Size of the intersection over size of the union; at least one of the sets is not empty."""
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared)
