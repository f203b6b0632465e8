"""What a process is set up for, before runs begin in it: how many files it may hold open, how often it collects."""

import gc
import resource
from collections.abc import Sequence

from personastream.errors import ConfigError
from personastream.launch.endpoints import keeps_batches
from personastream.ports import Provider

FILES_BESIDES = 256
"""Open files besides connections: shards, parts, libraries."""
OBJECTS_PER_ROW = 100
"""Twice what a row in flight keeps alive. The garbage collector is told to let so many come and go: at Python's 700
in all it walks them again and again, for 13 % of the time with 256 rows in flight and 30 % with 2,000, and finds
next to nothing: only faults leave cycles behind."""


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
