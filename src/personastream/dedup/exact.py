"""Which 64-bit keys are new: an open-addressing table.

Two different texts share an xxh3-64 key with probability 2^-64. Among n rows that is n * (n - 1) / 2^65 expected
wrong drops: 2.7e-8 for a million rows, 2.7e-2 for a billion (the birthday bound).
"""

from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.snapshot import SnapshotDamaged, read_snapshot, write_snapshot

Keys = NDArray[np.uint64]

_LABEL = "exact xxh3-64"
_BITS_MIN = 12
_LOAD_MAX = 0.6  # share of the slots in use; probe sequences grow steeply beyond


class ExactIndex(Protocol):
    """Remembers keys."""

    def insert(self, keys: Keys) -> NDArray[np.bool_]:
        """True for each key that is new, its first place in `keys` only; from now on all of them are known."""

    def __len__(self) -> int:
        """Distinct keys."""

    def save(self, file: BinaryIO) -> None: ...

    def load(self, file: BinaryIO) -> None:
        """Become what was saved. Raises `SnapshotDamaged` and stays as it was."""


class KeyTable:
    """An `ExactIndex` in memory: 13 to 27 bytes a key, and three times that for a moment while it doubles.

    A key's home is the slot its leading bits name, so ascending keys walk through memory in order and a whole table
    can be laid out by one pass over its sorted keys. Keys must be uniform, as hashes are; else it is slow. A slot
    of 0 is free; key 0 itself is remembered apart.
    """

    def __init__(self) -> None:
        self._slots: Keys = np.zeros(1 << _BITS_MIN, np.uint64)
        self._used = 0
        self._has_zero = False

    def __len__(self) -> int:
        return self._used + self._has_zero

    def insert(self, keys: Keys) -> NDArray[np.bool_]:
        new = np.zeros(len(keys), np.bool_)
        distinct, place = np.unique(keys, return_index=True)
        if len(distinct) and distinct[0] == 0:
            new[place[0]] = not self._has_zero
            self._has_zero = True
            distinct, place = distinct[1:], place[1:]
        if self._used + len(distinct) > _LOAD_MAX * len(self._slots):
            self._lay_out(self._sorted_keys(), self._used + len(distinct))
        new[place] = self._claim(distinct)
        self._used += int(np.count_nonzero(new[place]))
        return new

    def save(self, file: BinaryIO) -> None:
        zero = np.zeros(int(self._has_zero), np.uint64)
        write_snapshot(file, _LABEL, [np.concatenate([zero, self._sorted_keys()])])

    def load(self, file: BinaryIO) -> None:
        (keys,) = read_snapshot(file, _LABEL, arrays=1)
        if not (keys[1:] > keys[:-1]).all():
            raise SnapshotDamaged("the keys of a dedup snapshot are out of order")
        self._has_zero = bool(len(keys)) and keys[0] == 0
        keys = keys[int(self._has_zero) :]
        self._used = len(keys)
        self._lay_out(keys, self._used)

    def _sorted_keys(self) -> Keys:
        return np.sort(self._slots[self._slots != 0])

    def _homes(self, keys: Keys) -> NDArray[np.intp]:
        bits = len(self._slots).bit_length() - 1
        return (keys >> np.uint64(64 - bits)).astype(np.intp)

    def _lay_out(self, keys: Keys, size: int) -> None:
        """Make a table for `size` keys that holds `keys`, which ascend.

        Linear probing puts each of them into its home or right after the key before. Those that run over the end
        are few and take the ordinary way, round to the start.
        """
        bits = max(_BITS_MIN, int(size / _LOAD_MAX).bit_length())
        self._slots = np.zeros(1 << bits, np.uint64)
        place = np.arange(len(keys))
        slots = place + np.maximum.accumulate(self._homes(keys) - place)
        inside = int(np.searchsorted(slots, len(self._slots)))
        self._slots[slots[:inside]] = keys[:inside]
        self._claim(keys[inside:])

    def _claim(self, keys: Keys) -> NDArray[np.bool_]:
        """Put distinct keys into the table; true for those that were not there. Each round looks one slot further."""
        new = np.zeros(len(keys), np.bool_)
        waiting, slots = np.arange(len(keys)), self._homes(keys)
        while len(waiting):
            wanted = keys[waiting]
            free = self._slots[slots] == 0
            self._slots[slots[free]] = wanted[free]  # of several that want one slot, one gets it
            there = self._slots[slots] == wanted
            new[waiting[there & free]] = True
            waiting, slots = waiting[~there], (slots[~there] + 1) & (len(self._slots) - 1)
        return new
