"""Which keys are new, of few: a plain set, that needs no compiled code.

To load compiled loops takes a second, and to fill a set of some ten thousand keys a few milliseconds.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

KEYS_MAX = 65_536
"""Some 6 MB. With more, `ExactIndex` is smaller and faster."""
_BYTES_PER_KEY = 100

Keys = NDArray[np.uint64]


class KeySet:
    """Remembers keys of 64 or 128 bits and answers as `ExactIndex` does, without its one error in 2^40 comparisons."""

    def __init__(self, bits: Literal[64, 128] = 64) -> None:
        self._bits = bits
        self._known: dict[int | tuple[int, int], None] = {}  # in the order in which they came
        self._learnt: list[Keys] = []

    def __len__(self) -> int:
        """Distinct keys."""
        return len(self._known)

    @property
    def size_bytes(self) -> int:
        """About."""
        return _BYTES_PER_KEY * len(self._known)

    def insert(self, keys: Keys) -> NDArray[np.bool_]:
        """True for each key that is new, its first place in `keys` only; from now on all of them are known."""
        new = self._insert(keys)
        self._learnt.append(keys[new])
        return new

    def learnt(self) -> bytes:
        """The keys that were new since the last call, in order: 8 bytes each, or 16, little-endian."""
        records = b"".join(keys.astype("<u8", copy=False).tobytes() for keys in self._learnt)
        self._learnt.clear()
        return records

    def learn(self, records: bytes) -> None:
        """Take in keys that `learnt` gave, in the order it gave them. `ValueError` if they cannot be such keys."""
        if len(records) % (self._bits // 8):
            raise ValueError(f"{len(records)} bytes are no whole number of {self._bits}-bit keys")
        keys = np.frombuffer(records, "<u8").astype(np.uint64, copy=False)
        if not self._insert(keys.reshape(-1, 2) if self._bits == 128 else keys).all():
            raise ValueError("a key occurs twice, or was known before")

    def records(self) -> bytes:
        """All keys, for another index to `learn`."""
        return np.array(list(self._known), "<u8").tobytes()

    def _insert(self, keys: Keys) -> NDArray[np.bool_]:
        known, new = self._known, []
        for key in map(tuple, keys.tolist()) if self._bits == 128 else keys.tolist():
            new.append(key not in known)
            known[key] = None
        return np.array(new, np.bool_)
