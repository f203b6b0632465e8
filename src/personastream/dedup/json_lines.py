"""Which JSON lines need a closer look, by compiled loops where these are loaded already."""

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.backend import are_loaded
from personastream.packed import Packed


def unsure_lines(lines: Packed, head: bytes, tail: bytes, blanks: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Which lines are not, for certain, a sound text between `head` and `tail`, bool[n]; None if no loops are loaded.

    Sound is UTF-8 without quotes, backslashes and control characters, whose first byte is not in `blanks`, bool[256].
    """
    if not are_loaded():
        return None
    from personastream.dedup import line_kernels

    before, behind = np.frombuffer(head, np.uint8), np.frombuffer(tail, np.uint8)
    return line_kernels.unsure_lines(lines.data, lines.begins, lines.ends, before, behind, blanks)
