"""The engine's counters: written by the part that knows, read by whoever shows them."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from personastream.core.histogram import Histogram
from personastream.core.outcomes import Counts, Usage
from personastream.engine.endpoint import Endpoint
from personastream.errors import AttemptError
from personastream.ports import Provider
from personastream.records import Completion, Request

Attempted = Callable[[Provider, Request, float, Completion | AttemptError], None]
"""Told of a request: who was asked what, how many seconds it took, and what came of it. It must not raise."""


@dataclass(slots=True)
class Statistics:
    """Counts of this sitting, besides `committed`, which covers the whole run once that is `recovered`.

    `settled_before` is the rows that earlier sittings settled, `spent_before_nanos` what they spent. `under_way` holds
    requests on the wire now, by their number, and when each was sent, the oldest first; `waiting` is rows between two
    attempts; `hedges` counts requests that were sent to another endpoint as well, `faults` failed attempts by error
    class; `rows_read` is rows that the source has handed over, `rows_estimated` the likely length of the whole input.
    `latency` is of answered requests, `commit_s` of commits with their sync; `last_commit_s` is when the last one was
    through, None before the first. Times are on the event loop's clock (`under_way`: on the clock of the graph).
    `output_bytes` counts what was committed, before compression.
    `paused` says why nothing moves, if so, `alert` what is near a cap of `[guard]`; `endpoints` are the services asked,
    each with counters of its own. `attempted` is told of each single request, for telemetry; None: nobody is.
    """

    recovered: bool = False
    committed: Counts = field(default_factory=Counts)
    committed_usage: Usage = field(default_factory=Usage)
    settled_before: int = 0
    spent_before_nanos: int = 0
    handed_out: int = 0
    under_way: dict[int, float] = field(default_factory=dict)
    waiting: int = 0
    requests: int = 0
    answered: int = 0
    retries: int = 0
    hedges: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    spend_nanos: int = 0
    latency: Histogram = field(default_factory=Histogram)
    uncommitted: int = 0
    commits: int = 0
    commit_s: Histogram = field(default_factory=Histogram)
    last_commit_s: float | None = None
    output_bytes: int = 0
    rows_read: int = 0
    shards_finished: int = 0
    rows_estimated: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    last_fault: str = ""
    paused: str = ""
    alert: str = ""
    endpoints: Sequence[Endpoint] = ()
    attempted: Attempted | None = None

    @property
    def in_flight(self) -> int:
        """Requests on the wire now."""
        return len(self.under_way)

    def oldest_s(self, now_s: float) -> float:
        """For how long the oldest request has been on the wire; 0 if none is. `now_s` is on the graph's clock."""
        return now_s - next(iter(self.under_way.values()), now_s)

    @property
    def usage(self) -> Usage:
        """What this sitting has spent so far, committed or not."""
        return Usage(self.requests, self.input_tokens, self.output_tokens, self.cached_tokens, self.spend_nanos)
