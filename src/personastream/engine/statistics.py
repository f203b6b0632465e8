"""The engine's counters: written by the part that knows, read by whoever shows them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from personastream.core.outcomes import Counts, Usage
from personastream.engine.endpoint import Endpoint


@dataclass(slots=True)
class Statistics:
    """Counts of this sitting, besides `committed`, which covers the whole run.

    `settled_before` is the rows that earlier sittings settled, `spent_before_nanos` what they spent. `in_flight` is
    requests on the wire now, `waiting` rows between two attempts; `hedges` counts requests that were sent to another
    endpoint as well, `faults` failed attempts by error class; `rows_estimated` is the likely length of the whole
    input; `latency_s_sum` adds up the answered requests' seconds.
    `paused` says why nothing moves, if so, `alert` what is near a cap of `[guard]`; `endpoints` are the services asked,
    each with counters of its own.
    """

    committed: Counts = field(default_factory=Counts)
    committed_usage: Usage = field(default_factory=Usage)
    settled_before: int = 0
    spent_before_nanos: int = 0
    handed_out: int = 0
    in_flight: int = 0
    waiting: int = 0
    requests: int = 0
    answered: int = 0
    retries: int = 0
    hedges: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    spend_nanos: int = 0
    latency_s_sum: float = 0.0
    uncommitted: int = 0
    commits: int = 0
    shards_finished: int = 0
    rows_estimated: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    last_fault: str = ""
    paused: str = ""
    alert: str = ""
    endpoints: Sequence[Endpoint] = ()

    @property
    def usage(self) -> Usage:
        """What this sitting has spent so far, committed or not."""
        return Usage(self.requests, self.input_tokens, self.output_tokens, self.cached_tokens, self.spend_nanos)
