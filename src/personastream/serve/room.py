"""Whether there is room for one more job: memory, open files, disk. What is missing is told in words.

Law: estimates err to the side of waiting; figures of the machine are read when they are needed.
"""

import os
import resource
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from personastream.build import Parts, Thinning
from personastream.launch.process import FILES_BESIDES, connections_of
from personastream.ports import StatefulTransform
from personastream.records import Shard

MEMORY_SHARE = 0.8
BYTES_PER_ROW_IN_FLIGHT = 100_000
"""A task, its connection and its row, with all that a reply may hold for a moment."""
BYTES_PER_JOB = 32 << 20
"""A job's batches, buffers and threads."""
BYTES_PER_ROW_READ = 30
"""Of a shard; compressed rows are about so long."""
INDEX_BYTES_PER_ROW = {"Dedup": 8, "NearDedup": 150, "SemanticDedup": 2_500}
INDEX_BYTES_PER_ROW_OTHERS = 300


@dataclass(frozen=True, slots=True)
class Need:
    """What a job is going to take."""

    memory_bytes: int
    connections: int


@dataclass(frozen=True, slots=True)
class Room:
    """What there is. `connections` are those that jobs at work may open."""

    memory_bytes: int
    memory_bytes_max: int
    connections: int
    descriptors_max: int
    disk_free_bytes: int
    disk_bytes_min: int


def need_of(parts: Parts | Thinning, shards: Sequence[Shard]) -> Need:
    """An estimate by the length of the input and what keeps an index of it."""
    rows = sum(shard.size_bytes for shard in shards) // BYTES_PER_ROW_READ
    kept = sum(
        INDEX_BYTES_PER_ROW.get(type(each).__name__, INDEX_BYTES_PER_ROW_OTHERS)
        for each in parts.transforms
        if isinstance(each, StatefulTransform)
    )
    in_flight = connections_of(parts.providers) if isinstance(parts, Parts) else 0
    return Need(BYTES_PER_JOB + rows * kept + in_flight * BYTES_PER_ROW_IN_FLIGHT, in_flight)


def missing(need: Need, room: Room) -> str:
    """Why a job with that need does not start; "" if it may."""
    if room.disk_free_bytes < room.disk_bytes_min:
        return f"the disk has {_size(room.disk_free_bytes)} left, and must have {_size(room.disk_bytes_min)}"
    if room.memory_bytes + need.memory_bytes > room.memory_bytes_max:
        return (
            f"it may need {_size(need.memory_bytes)} of memory; the service has {_size(room.memory_bytes)} of at most "
            f"{_size(room.memory_bytes_max)}"
        )
    wanted = room.connections + need.connections + FILES_BESIDES
    if wanted > room.descriptors_max:
        return f"with it, jobs may open {wanted:,} files; the system allows {room.descriptors_max:,}"
    return ""


def memory_bytes() -> int:
    """What the process has in memory now."""
    return int(Path("/proc/self/statm").read_bytes().split()[1]) * resource.getpagesize()


def memory_bytes_max() -> int:
    """Most of what the machine, or our control group, has."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return int(min((machine, *_group_limits())) * MEMORY_SHARE)


def _group_limits() -> Iterable[int]:
    """The limits of our control group and of those above it."""
    with suppress(OSError, ValueError):
        line = next(each for each in Path("/proc/self/cgroup").read_text().splitlines() if each.startswith("0::"))
        here = Path("/sys/fs/cgroup", line[3:].lstrip("/"))
        for folder in (here, *here.parents):
            with suppress(OSError, ValueError):  # no limit is the word `max`
                yield int((folder / "memory.max").read_text())


def descriptors_max() -> int:
    """How many files the process may have open, if it raises its limit as far as it may."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return hard if hard != resource.RLIM_INFINITY else 1 << 20


def descriptors() -> int:
    """How many files the process has open."""
    return len(os.listdir("/proc/self/fd"))


def disk_free_bytes(folder: Path) -> int:
    """What an ordinary user may still write."""
    told = os.statvfs(folder)
    return told.f_bavail * told.f_frsize


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"
