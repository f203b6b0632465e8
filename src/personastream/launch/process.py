"""What a process is set up for, before runs begin in it: open files, memory, the garbage collector."""

import ctypes
import gc
import resource
from collections.abc import Sequence
from contextlib import suppress

from personastream.errors import ConfigError
from personastream.launch.endpoints import keeps_batches
from personastream.ports import Provider

FILES_BESIDES = 256
"""Open files besides connections: shards, parts, libraries."""
OBJECTS_PER_ROW = 100
"""Twice what a row in flight keeps alive. The garbage collector is told to let so many come and go: at Python's 700
in all it walks them again and again, for 13 % of the time with 256 rows in flight and 30 % with 2,000, and finds
next to nothing. So nothing that comes with each row, or with one in a thousand, may leave cycles behind."""

DEDUP_BATCH_ROWS = 16_384
"""Of a dedup job: large enough for kernels that take a batch at a time, small enough for a processor's caches."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # mallopt(3)
_NEVER = 1 << 30


def connections_of(providers: Sequence[Provider]) -> int:
    """How many connections a run may hold open at once."""
    return sum(each.in_flight_max for each in providers if not keeps_batches(each))


def raise_file_limit(connections: int) -> None:
    """One for each request in flight. Raises `ConfigError` if the system allows fewer."""
    wanted = connections + FILES_BESIDES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise ConfigError(
            f"[provider] in_flight_max = {connections} needs {wanted} open files; the system allows {hard}",
            hint="Raise the limit (ulimit -Hn, or LimitNOFILE in a service), or lower in_flight_max.",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def calm_collector(rows: int) -> None:
    """Let the garbage collector pass over what `rows` rows in flight keep alive."""
    gc.set_threshold(max(gc.get_threshold()[0], OBJECTS_PER_ROW * rows))


def keep_freed_memory() -> None:
    """Let the C library keep what is freed, for the next batch: to take it anew, page by page, may cost as much time
    as all the work on a row. Where there is no such call, nothing changes.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _NEVER)
        library.mallopt(_M_TRIM_THRESHOLD, _NEVER)


def share_one_heap() -> None:
    """Let all threads take memory from one heap; to be said before there are any. The C library else gives each a heap
    of its own, and what is free in one is of no use to the others: some 40 MB in a service, now here, now there. They
    hardly wait for each other, as Python lets one work at a time. Where there is no such call, nothing changes.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def give_back_memory() -> None:
    """Let the C library return to the system what is free: a burst of rows that wait for a commit else leaves pages
    behind that are nearly empty. Takes one or two milliseconds. Where there is no such call, nothing changes.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
