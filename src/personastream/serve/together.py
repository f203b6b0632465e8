"""The counters of several stages as those of one sitting. Pure."""

from dataclasses import replace
from typing import Any

from personastream.engine.statistics import Statistics

RISING = (
    "requests",
    "answered",
    "retries",
    "hedges",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "commits",
    "output_bytes",
    "rows_read",
    "shards_finished",
    "faults",
    "latency",
    "commit_s",
)


def together(earlier: Statistics, now: Statistics) -> Statistics:
    """What is so `now`, with all that rises counted from before on. Rows and money are those of `now` alone."""
    sums: dict[str, Any] = {name: getattr(earlier, name) + getattr(now, name) for name in RISING}
    last_commit_s = earlier.last_commit_s if now.last_commit_s is None else now.last_commit_s
    return replace(now, **sums, last_commit_s=last_commit_s, last_fault=now.last_fault or earlier.last_fault)
