"""Whether the service gets on. Pure: what there is to see and the time are arguments.

Law: a job that is at work either moves or has a reason to wait. One that has done neither for `stall_s_max` is stuck,
and so is the service: it is better killed and started again, which loses nothing. A reason to wait is a request on the
wire (it has a deadline of its own), a pause between two attempts, an endpoint that rests, a person's command.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from personastream.serve.view import EndpointView, JobState, JobView, ServiceView

STALL_S_MAX = 1800.0
AT_WORK = JobState.RUNNING
"""In all other states a job waits for something outside itself, or its end is bounded (a drain)."""
SLOW_REQUESTS_PER_MINUTE, SLOW_TOKENS_PER_MINUTE = 0.1, 10_000.0
"""Below such a ceiling the next request may be due only after longer than a stall."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """How far a job was, and since when."""

    mark: tuple[object, ...]
    since_s: float


@dataclass(slots=True)
class Watchdog:
    """Remembers when each job last moved, or had a reason not to."""

    stall_s_max: float = STALL_S_MAX
    _seen: dict[str, _Seen] = field(init=False, default_factory=dict)

    def look(self, seen: ServiceView, now_s: float) -> list[str]:
        """The names of jobs that are stuck; none if all is well."""
        before, self._seen = self._seen, {}
        stuck = []
        for job in seen.jobs:
            mark, last = mark_of(job), before.get(job.name)
            if last is None or last.mark != mark or waits(job, seen.endpoints):
                last = _Seen(mark, now_s)
            elif now_s - last.since_s > self.stall_s_max:
                stuck.append(job.name)
            self._seen[job.name] = last
        return stuck


def mark_of(job: JobView) -> tuple[object, ...]:
    """Changes whenever the job gets on: rows, requests, answers and faults are all signs of life."""
    return (
        job.state,
        job.stage,
        job.started,
        job.delivered,
        sum(job.dropped.values()),
        sum(job.dead.values()),
        job.uncommitted,
        job.commits,
        job.requests,
        job.retries,
        job.throttled,
        sum(job.faults.values()),
        job.input_tokens,
    )


def waits(job: JobView, endpoints: Sequence[EndpointView]) -> bool:
    """Whether the job has a reason not to move. A stage that asks nobody works in a thread, and shows no counts."""
    if job.state is not AT_WORK or job.in_flight or job.waiting or job.why:
        return True
    return all(_rests(each) for each in endpoints if job.name in each.jobs)


def _rests(endpoint: EndpointView) -> bool:
    """Whether it is not to be sent anything now: it asked for a pause, is down, is slow, or others have their turn."""
    return (
        endpoint.state not in ("closed", "half-open")
        or endpoint.paused_s > 0
        or endpoint.in_flight > 0
        or 0 < endpoint.requests_per_minute < SLOW_REQUESTS_PER_MINUTE
        or 0 < endpoint.tokens_per_minute < SLOW_TOKENS_PER_MINUTE
    )
