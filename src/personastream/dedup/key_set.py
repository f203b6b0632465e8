"""Which keys are new, of few: a plain set, that needs no compiled code.

To load compiled loops takes seconds and 120 MB, whatever they are for; to put a key into a set takes a microsecond
and 100 bytes.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.key_index import KeyIndex, Keys

KEYS_MAX = 1 << 20
"""Of 64 bits; half as many of 128. With more, `ExactIndex` is smaller, compiled loops included, and faster."""
_BYTES_PER_KEY = 100


class KeySet(KeyIndex):
    """Remembers keys of 64 or 128 bits and answers as `ExactIndex` does, without its one error in 2^40 comparisons."""

    def __init__(self, bits: Literal[64, 128] = 64) -> None:
        super().__init__(bits)
        self._known: dict[int | tuple[int, int], None] = {}  # in the order in which they came

    def __len__(self) -> int:
        """Distinct keys."""
        return len(self._known)

    @property
    def size_bytes(self) -> int:
        """About."""
        return _BYTES_PER_KEY * len(self._known)

    def records(self) -> bytes:
        """All keys, for another index to `learn`."""
        return np.array(list(self._known), "<u8").tobytes()

    def _insert(self, keys: Keys) -> NDArray[np.bool_]:
        known, new = self._known, []
        for key in map(tuple, keys.tolist()) if self._bits == 128 else keys.tolist():
            new.append(key not in known)
            known[key] = None
        return np.array(new, np.bool_)
