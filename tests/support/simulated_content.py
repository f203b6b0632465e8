"""The bytes of one simulated file: what the disk holds, what only the page cache knows, and what survives.

The model: a file is appended to and cut. Bytes from `_dirty_from` on are dirty: the cache has them, the disk may have
any sector of them, in any order. A power loss leaves each of these sectors new or old, zeros past the old end, and any
size between the old and the new one. A failed sync loses sectors and calls them clean; until they are dropped from the
cache, reads still show them (as ext4 and XFS do), or show the old content at once (as Btrfs does).
"""

import sys
from dataclasses import dataclass
from random import Random

PAGE_BYTES = 4096
NEW_SHARES = (0.0, 0.1, 0.5, 0.9, 1.0)
TORN_SHARE = 0.2
_NEVER = sys.maxsize


@dataclass(frozen=True, slots=True)
class Medium:
    """What a disk and its file system are like.

    `sector_bytes` is what it writes whole or not at all: 64 in persistent memory, 512 or 4096 on disks.
    `harsh`: a sector that was being written may end up as zeros or noise, with what it held before.
    `keeps_lost`: after a failed sync the cache keeps what was not written.
    """

    sector_bytes: int = 512
    harsh: bool = False
    keeps_lost: bool = True


class Content:
    """One file's bytes. `cached` is what reads see."""

    __slots__ = ("_dirty_from", "_disk", "_lost", "_medium", "_sector_bytes", "cached")

    def __init__(self, medium: Medium) -> None:
        self.cached = bytearray()
        self._medium = medium
        self._sector_bytes = medium.sector_bytes
        self._disk = bytearray()
        self._dirty_from = _NEVER
        self._lost: set[int] = set()

    def append(self, data: bytes) -> None:
        """Write at the end, into the cache."""
        start = len(self.cached)
        if self._lost:  # a page is written as a whole: what it had lost gets another chance
            start -= start % PAGE_BYTES
            self._lost = {sector for sector in self._lost if sector * self._sector_bytes < start}
        self.cached += data
        self._dirty_from = min(self._dirty_from, start)

    def truncate(self, size: int) -> None:
        """Cut, in the cache."""
        del self.cached[size:]
        self._lost = {sector for sector in self._lost if sector * self._sector_bytes < size}

    def sync(self) -> None:
        """The disk holds what the cache holds, but for what an earlier sync has lost."""
        del self._disk[min(self._dirty_from, len(self.cached)) :]
        if self._dirty_from < len(self.cached):
            self._extend_disk(self._dirty_from)
            self._disk += memoryview(self.cached)[self._dirty_from :]
        self._extend_disk(len(self.cached))
        self._dirty_from = _NEVER

    def fail_sync(self, chance: Random) -> None:
        """Some dirty sectors are written, the rest is lost; all are clean from now on."""
        written_share = chance.choice(NEW_SHARES)
        size = chance.choice((len(self._disk), len(self.cached)))
        self._extend_disk(size)
        for sector in self._dirty_sectors():
            if sector * self._sector_bytes < len(self._disk) and chance.random() < written_share:
                self._write(sector)
            else:
                self._lost.add(sector)
        self._dirty_from = _NEVER
        if not self._medium.keeps_lost:
            self.drop_cache()

    def write_back(self, chance: Random) -> None:
        """The kernel writes some dirty sectors, for reasons of its own; they stay dirty here, which does no harm."""
        if chance.random() < 0.5:
            self._extend_disk(len(self.cached))
        for sector in self._dirty_sectors():
            if sector * self._sector_bytes < len(self._disk) and chance.random() < 0.5:
                self._write(sector)

    def drop_cache(self) -> None:
        """Forget clean pages: what a failed sync has lost is seen to be lost."""
        for sector in self._lost:
            at = sector * self._sector_bytes
            end = min(at + self._sector_bytes, len(self.cached))
            old = self._disk[at:end]
            self.cached[at:end] = old + bytes(end - at - len(old))
        self._lost.clear()

    def lose_power(self, chance: Random, new_share: float) -> None:
        """What the disk holds is all there is from now on."""
        if self._dirty_from < len(self.cached) or len(self._disk) != len(self.cached):
            size = self._size_after(chance)
            self._extend_disk(len(self.cached))
            for sector in self._dirty_sectors():
                if self._medium.harsh and chance.random() < TORN_SHARE:
                    at = sector * self._sector_bytes
                    torn = chance.choice((bytes(self._sector_bytes), chance.randbytes(self._sector_bytes)))
                    self._disk[at : at + self._sector_bytes] = torn[: len(self._disk) - at]
                elif chance.random() < new_share:
                    self._write(sector)
            del self._disk[size:]
        self.cached = bytearray(self._disk)
        self._dirty_from = _NEVER
        self._lost.clear()

    def _size_after(self, chance: Random) -> int:
        low, high = sorted((len(self._disk), len(self.cached)))
        return chance.choice(
            (low, high, chance.randint(low, high), (low + high) // 2 // PAGE_BYTES * PAGE_BYTES or low)
        )

    def _dirty_sectors(self) -> range:
        if self._dirty_from >= len(self.cached):
            return range(0)
        return range(self._dirty_from // self._sector_bytes, -(-len(self.cached) // self._sector_bytes))

    def _write(self, sector: int) -> None:
        at = sector * self._sector_bytes
        end = min(at + self._sector_bytes, len(self.cached))
        self._disk[at:end] = memoryview(self.cached)[at:end]

    def _extend_disk(self, size: int) -> None:
        if len(self._disk) < size:
            self._disk += bytes(size - len(self._disk))
