"""One look at a run's counters, ready to be shown: the same figures for every kind of display."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from personastream.core.spend import NANOS
from personastream.engine.endpoint import Endpoint
from personastream.engine.statistics import Statistics
from personastream.engine.stop import Stop
from personastream.observe.rates import RateMeter
from personastream.records import Shard


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Counts cover the whole run where rows are meant, this sitting for requests, tokens and retries.

    `rows_estimated` is 0 while nothing has been read; `eta_s` is None while unknown; rates are per second. While a
    run is paused, it has no rate in rows and no time left.
    """

    state: str
    elapsed_s: float
    delivered: int
    dropped: dict[str, int]
    dead: dict[str, int]
    uncommitted: int
    rows_estimated: int
    shards_finished: int
    shards: int
    in_flight: int
    waiting: int
    requests: int
    retries: int
    hedges: int
    input_tokens: int
    output_tokens: int
    rows_per_s: float
    requests_per_s: float
    tokens_per_s: float
    latency_s: float
    spend: float
    eta_s: float | None
    last_fault: str
    alert: str
    endpoints: list[dict[str, Any]]

    @property
    def settled(self) -> int:
        """Committed rows, however they ended."""
        return self.delivered + sum(self.dropped.values()) + sum(self.dead.values())

    @property
    def share_done(self) -> float:
        """Share of the input that has met its end, committed or about to be, 0 to 1."""
        return _share(self.settled + self.uncommitted, self.rows_estimated)

    def as_dict(self) -> dict[str, Any]:
        """The figures as plain data."""
        return asdict(self)


@dataclass(slots=True)
class Camera:
    """Takes snapshots of one run."""

    statistics: Statistics
    shards: Sequence[Shard]
    stop: Stop
    meter: RateMeter
    started_s: float

    def snapshot(self, now_s: float) -> Snapshot:
        """What there is to see at `now_s`, on the clock of `started_s`."""
        seen, counts = self.statistics, self.statistics.committed
        rates = self.meter.update(now_s, seen)
        state = f"paused: {printable(seen.paused)}" if seen.paused else "draining" if self.stop.draining else "running"
        return Snapshot(
            state=state,
            elapsed_s=now_s - self.started_s,
            delivered=counts.delivered,
            dropped=dict(counts.dropped),
            dead=dict(counts.dead),
            uncommitted=seen.uncommitted,
            rows_estimated=seen.rows_estimated,
            shards_finished=seen.shards_finished,
            shards=len(self.shards),
            in_flight=seen.in_flight,
            waiting=seen.waiting,
            requests=seen.requests,
            retries=seen.retries,
            hedges=seen.hedges,
            input_tokens=seen.input_tokens,
            output_tokens=seen.output_tokens,
            rows_per_s=0.0 if seen.paused else rates.rows,
            requests_per_s=rates.requests,
            tokens_per_s=rates.tokens,
            latency_s=seen.latency.sum_s / seen.answered if seen.answered else 0.0,
            spend=(seen.spent_before_nanos + seen.spend_nanos) / NANOS,
            eta_s=None if seen.paused else rates.eta_s,
            last_fault=printable(seen.last_fault),
            alert=printable(seen.alert),
            endpoints=[_endpoint(each, now_s) for each in seen.endpoints],
        )


def _endpoint(endpoint: Endpoint, now_s: float) -> dict[str, Any]:
    return {
        "label": printable(endpoint.label),
        "state": "out" if endpoint.out else endpoint.pace.state(now_s),
        "why": printable(endpoint.out.message if endpoint.out else endpoint.pace.reason),
        "in_flight": endpoint.in_flight,
        "in_flight_limit": endpoint.pace.limit,
        "paused_s": endpoint.pace.blocked_s(now_s),
        "requests": endpoint.requests,
        "answered": endpoint.answered,
        "throttled": endpoint.throttled,
    }


def _share(rows: int, rows_estimated: int) -> float:
    return min(1.0, rows / rows_estimated) if rows_estimated else 0.0


def printable(text: str) -> str:
    """Text from outside, so that it can neither move the cursor nor forge lines."""
    return "".join(character if character.isprintable() else "·" for character in text)
