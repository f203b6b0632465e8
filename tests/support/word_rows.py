"""Rows of words made of plain numbers."""

from collections.abc import Sequence

import numpy as np

from personastream.dedup import Words


def word_rows(rows: Sequence[Sequence[int]]) -> Words:
    """Rows with these word hashes."""
    flat = [word for row in rows for word in row]
    return Words(np.array(flat, np.uint64), np.cumsum([0, *map(len, rows)]))
