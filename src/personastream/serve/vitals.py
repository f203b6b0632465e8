"""How the process itself is: memory, open files, disk, and how late its event loop runs."""

import asyncio
import gc
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import anyio
import anyio.to_thread

from personastream.launch.process import give_back_memory
from personastream.serve import room

LOOK_S = 1.0
LOOKS_PER_GIVING_BACK = 10
LOOKS_PER_COLLECTION = 600
"""Rings of objects that stages leave when they end, some 100 kB each: the collector by itself, calmed as it is, would
come after thousands of them. It stops everything for some 0.2 s with half a million objects.
"""


@dataclass(slots=True)
class Vitals:
    """Read by `watch`, once a second; `loop_lag_s` is the longest delay of the last look."""

    folder: Path
    memory_bytes_max: int
    descriptors_max: int = 0
    memory_bytes: int = 0
    descriptors: int = 0
    disk_free_bytes: int = 0
    loop_lag_s: float = 0.0
    tasks: int = 0

    async def watch(self) -> None:
        """Until cancelled. Every ten minutes garbage is collected, every ten seconds what is free given back."""
        for look in count(1):
            before_s = anyio.current_time()
            await anyio.sleep(LOOK_S)
            self.tasks = len(asyncio.all_tasks())
            self.loop_lag_s = max(0.0, anyio.current_time() - before_s - LOOK_S)
            await self.look()
            if look % LOOKS_PER_COLLECTION == 0:
                gc.collect()
            if look % LOOKS_PER_GIVING_BACK == 0:
                await anyio.to_thread.run_sync(give_back_memory)

    async def look(self) -> None:
        """Read them now, in a thread: a disk may be slow to answer."""
        await anyio.to_thread.run_sync(self._read)

    def _read(self) -> None:
        self.memory_bytes = room.memory_bytes()
        self.descriptors, self.descriptors_max = room.descriptors(), room.descriptors_max()
        self.disk_free_bytes = room.disk_free_bytes(self.folder)
