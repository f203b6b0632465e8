"""What indexes of keys have in common: which keys of a batch are new, and a journal of those, for a resume."""

from abc import ABC, abstractmethod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
"""uint64[n], or for keys of 128 bits uint64[n, 2]."""


class KeyIndex(ABC):
    """Remembers keys of 64 or 128 bits. With `journal` false it keeps nothing for `learnt`."""

    def __init__(self, bits: Literal[64, 128], *, journal: bool = True) -> None:
        self._bits = bits
        self._learnt: list[Keys] | None = [] if journal else None

    @abstractmethod
    def __len__(self) -> int:
        """Distinct keys."""

    @property
    @abstractmethod
    def size_bytes(self) -> int:
        """Memory of the index."""

    @abstractmethod
    def _insert(self, keys: Keys) -> NDArray[np.bool_]:
        """As `insert`, without a word to the journal."""

    def insert(self, keys: Keys) -> NDArray[np.bool_]:
        """True for each key that is new, its first place in `keys` only; from now on all of them are known."""
        new = self._insert(keys)
        if self._learnt is not None:
            self._learnt.append(keys[new])
        return new

    def learnt(self) -> bytes:
        """The keys that were new since the last call, in order: 8 bytes each, or 16, little-endian."""
        records = b"".join(keys.astype("<u8", copy=False).tobytes() for keys in self._learnt or ())
        if self._learnt is not None:
            self._learnt.clear()
        return records

    def learn(self, records: bytes) -> None:
        """Take in keys that `learnt` gave, in the order it gave them. `ValueError` if they cannot be such keys."""
        if len(records) % (self._bits // 8):
            raise ValueError(f"{len(records)} bytes are no whole number of {self._bits}-bit keys")
        keys = np.frombuffer(records, "<u8").astype(np.uint64, copy=False)
        if not self._insert(keys.reshape(-1, 2) if self._bits == 128 else keys).all():
            raise ValueError("a key occurs twice, or was known before")
