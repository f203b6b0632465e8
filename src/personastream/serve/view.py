"""What there is to see of the service at one moment: the same figures for the API, the page, metrics and `top`.

Law: plain data. Text from outside (rows, replies, servers' errors) is printable here, and no key is in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class JobState(StrEnum):
    """Where a job stands. All but the last three go on by themselves or on command."""

    QUEUED = "queued"
    """It starts when there is room."""
    STARTING = "starting"
    """Shards are read, the run directory is recovered."""
    RUNNING = "running"
    PAUSED = "paused"
    """By command: requests under way have ended or will, no further one is sent."""
    STOPPING = "stopping"
    """Rows in flight finish, then the sitting ends."""
    STOPPED = "stopped"
    """By command, with work left: the sitting has ended and nobody holds the run's lock."""
    WAITING = "waiting"
    """It could not go on (provider down, disk full), and tries again by itself: see `why` and `next_try_s`."""
    FOLLOWING = "following"
    """All input is done; it waits for more shards."""
    DONE = "done"
    FAILED = "failed"
    """A person has to mend something first: see `why`, `hint` and `exit_code`."""
    CANCELLED = "cancelled"


ENDED = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})
FOR_PEOPLE = (JobState.FAILED, JobState.WAITING)
"""What comes first wherever jobs are listed: a person may have to do something."""


@dataclass(frozen=True, slots=True)
class StageView:
    """One stage of a job; a job without stages has one, called "". Counts are rows committed in the whole run."""

    name: str
    state: str
    reads: Sequence[str] = ()
    delivered: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    dead: Mapping[str, int] = field(default_factory=dict)
    rows_estimated: int = 0


@dataclass(frozen=True, slots=True)
class JobView:
    """A job. Counts of rows cover the stage it is at, requests and tokens this sitting, `spend` the whole job.

    Times are ISO 8601 in UTC, "" if not yet. Latencies are seconds of the requests answered in the last half minute,
    None if there were none; `eta_s` and `next_try_s` are None if there is nothing to tell.
    """

    name: str
    state: JobState
    why: str = ""
    hint: str = ""
    exit_code: int | None = None
    priority: int = 0
    weight: float = 1.0
    submitted: str = ""
    started: str = ""
    ended: str = ""
    directory: str = ""
    left_aside: str = ""
    """The [sink] path of its configuration, if that does not lie in runs/: then its output is in runs/NAME."""
    stage: str = ""
    stages: Sequence[StageView] = ()
    delivered: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    dead: Mapping[str, int] = field(default_factory=dict)
    uncommitted: int = 0
    rows_estimated: int = 0
    in_flight: int = 0
    waiting: int = 0
    requests: int = 0
    retries: int = 0
    throttled: int = 0
    faults: Mapping[str, int] = field(default_factory=dict)
    input_tokens: int = 0
    output_tokens: int = 0
    rows_per_s: float = 0.0
    requests_per_s: float = 0.0
    tokens_per_s: float = 0.0
    latency_p50_s: float | None = None
    latency_p95_s: float | None = None
    latency_p99_s: float | None = None
    spend: float = 0.0
    spend_max: float = 0.0
    eta_s: float | None = None
    next_try_s: float | None = None
    last_fault: str = ""
    alert: str = ""
    commits: int = 0
    last_commit: str = ""


@dataclass(frozen=True, slots=True)
class EndpointView:
    """A model service under one key, shared by all jobs that name it. Ceilings are per minute; 0: none.

    `id` is a short stable name for addresses and labels; `state` is that of its circuit breaker: closed (requests
    flow), open (none does), half-open (a few try whether it is back) or out; `called` says it in words. Counts are of
    this process.
    """

    id: str
    label: str
    model: str
    state: str
    why: str = ""
    in_flight: int = 0
    limit: int = 0
    in_flight_max: int = 0
    requests_per_minute: float = 0.0
    tokens_per_minute: float = 0.0
    input_tokens_per_minute: float = 0.0
    output_tokens_per_minute: float = 0.0
    paused_s: float = 0.0
    requests: int = 0
    answered: int = 0
    throttled: int = 0
    failed: int = 0
    jobs: Sequence[str] = ()


OPEN = "open for requests"
_CALLED = {"closed": OPEN, "open": "resting", "half-open": "trying again"}


def called(endpoint: Mapping[str, Any]) -> str:
    """The state of an endpoint in words for people, who take a closed one for broken."""
    state = str(endpoint["state"])
    return "resting" if state == "closed" and endpoint["paused_s"] > 0 else _CALLED.get(state, state)


def in_order(jobs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What a person has to look at, then what goes on as it was submitted, then what ended, the last one first."""
    ended = sorted((job for job in jobs if job["state"] in ENDED), key=lambda job: str(job["ended"]), reverse=True)
    going = [job for job in jobs if job["state"] not in ENDED]
    ranks = {state: rank for rank, state in enumerate(FOR_PEOPLE)}
    return sorted([*going, *ended], key=lambda job: ranks.get(job["state"], len(ranks)))


def share_done(job: Mapping[str, Any]) -> float | None:
    """How much of a job is done, from 0 to 1; None while nobody knows how much there is."""
    if job["state"] == JobState.DONE:
        return 1.0
    settled = job["delivered"] + sum(job["dropped"].values()) + sum(job["dead"].values())
    return min(1.0, settled / job["rows_estimated"]) if job["rows_estimated"] else None


@dataclass(frozen=True, slots=True)
class ServiceView:
    """The whole service. `ready` is what `/readyz` says, `why_not` the reasons against it."""

    version: str
    started: str
    state: str
    """running or draining."""
    ready: bool
    why_not: Sequence[str] = ()
    now: str = ""
    uptime_s: float = 0.0
    spend: float = 0.0
    spend_max: float = 0.0
    disk_free_bytes: int = 0
    memory_bytes: int = 0
    memory_bytes_max: int = 0
    descriptors: int = 0
    descriptors_max: int = 0
    tasks: int = 0
    loop_lag_s: float = 0.0
    jobs: Sequence[JobView] = ()
    endpoints: Sequence[EndpointView] = ()
    key_errors: Sequence[str] = ()
    """What was wrong with keys at the last reload: for these, the ones before it stay in use."""

    def as_dict(self) -> dict[str, Any]:
        """As plain data: what `/v1/state` answers and each `state` event holds."""
        return asdict(self)
