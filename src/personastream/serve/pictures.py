"""From what the service holds to what there is to see of it (`view.py`)."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from personastream.core.outcomes import Counts
from personastream.observe.snapshot import printable
from personastream.serve.live_job import LiveJob
from personastream.serve.sitting import Sitting, StageFigures
from personastream.serve.view import EndpointView, JobState, JobView, StageView
from personastream.stages import Stage

if TYPE_CHECKING:
    from personastream.engine.exchange import Exchange
    from personastream.engine.shared_endpoint import SharedEndpoint

WHY_CHARACTERS_MAX = 2000
FILES_TOLD = 5


def job_view(job: LiveJob, now_s: float) -> JobView:
    """A job at this moment; `now_s` is on the clock of the event loop."""
    wanted, sitting, state = job.wanted, job.sitting, job.state
    figures = _figures(job)
    why, hint, exit_code = _why(job, state)
    return JobView(
        name=job.name,
        state=state,
        why=_told(why),
        hint=_told(hint),
        exit_code=exit_code,
        priority=wanted.priority,
        weight=wanted.weight,
        submitted=wanted.submitted,
        started=wanted.started,
        ended=wanted.ending.at if wanted.ending else "",
        directory=printable(str(job.directory)),
        left_aside=_told(job.left_aside),
        stage=_stage_of(job),
        stages=[_stage_view(job, stage) for stage in job.stages],
        delivered=figures.counts.delivered,
        dropped=_positive(figures.counts.dropped),
        dead=_positive(figures.counts.dead),
        rows_estimated=figures.rows_estimated,
        spend=job.spend,
        spend_max=job.spend_max,
        next_try_s=max(0.0, job.next_try_s - now_s) if state is JobState.WAITING and job.next_try_s else None,
        **(_of_sitting(sitting, now_s) if sitting else _of_past(job.last, now_s) if job.last else {}),
    )


def _of_sitting(sitting: Sitting, now_s: float) -> dict[str, Any]:
    seen, rates = sitting.statistics, sitting.rates
    still = bool(seen.paused) or sitting.share.held
    p50, p95, p99 = rates.latency_s
    return {
        **_of_past(sitting, now_s),
        "uncommitted": seen.uncommitted,
        "in_flight": seen.in_flight,
        "waiting": seen.waiting,
        "rows_per_s": 0.0 if still else rates.rows,
        "requests_per_s": rates.requests,
        "tokens_per_s": rates.tokens,
        "latency_p50_s": p50,
        "latency_p95_s": p95,
        "latency_p99_s": p99,
        "eta_s": None if still else rates.eta_s,
    }


def _of_past(sitting: Sitting, now_s: float) -> dict[str, Any]:
    """What stays to be seen of a sitting when it has ended."""
    seen = sitting.whole
    return {
        "requests": seen.requests,
        "retries": seen.retries,
        "throttled": sitting.throttled,
        "faults": {printable(name): count for name, count in seen.faults.items()},
        "input_tokens": seen.input_tokens,
        "output_tokens": seen.output_tokens,
        "last_fault": _told(seen.last_fault),
        "alert": _told(seen.alert),
        "commits": seen.commits,
        "last_commit": _time_of(seen.last_commit_s, now_s),
    }


def _why(job: LiveJob, state: JobState) -> tuple[str, str, int | None]:
    """(why, hint, exit code) as far as they belong to the state."""
    ending, sitting = job.wanted.ending, job.sitting
    if ending is not None and sitting is None:
        return ending.why, ending.hint, ending.exit_code
    if state is JobState.QUEUED and job.waits_for:
        return job.waits_for, "", None
    if state is JobState.FOLLOWING and sitting is not None and sitting.unfinished:
        return f"not whole yet: {', '.join(sitting.unfinished[:FILES_TOLD])}", "", None
    if sitting is not None and sitting.statistics.paused:
        return sitting.statistics.paused, "", None
    if job.verdict is not None and sitting is None:
        return job.verdict.why, job.verdict.hint, job.verdict.exit_code
    return "", "", None


def _figures(job: LiveJob) -> StageFigures:
    """Of the stage at work, or of the last one that has begun."""
    if job.sitting is not None and job.sitting.begun:
        return job.sitting.figures
    return job.figures.get(_stage_of(job), StageFigures())


def _stage_of(job: LiveJob) -> str:
    """The stage that it is at, or the last one that has begun."""
    if job.sitting is not None and job.sitting.stage:
        return job.sitting.stage
    names = [stage.name for stage in job.stages if stage.name in job.figures]
    return names[-1] if names else ""


def _stage_view(job: LiveJob, stage: Stage) -> StageView:
    """A stage by what was last read of it, or by the sitting that is at it."""
    sitting, figures = job.sitting, job.figures.get(stage.name)
    at_work = sitting is not None and sitting.stage == stage.name
    if sitting is not None and at_work and sitting.begun:
        figures = sitting.figures
    counts = figures.counts if figures else Counts()
    state = sitting.phase if sitting is not None and at_work else _state_of_stage(figures)
    return StageView(
        name=stage.name,
        state=state,
        reads=list(stage.reads),
        delivered=counts.delivered,
        dropped=_positive(counts.dropped),
        dead=_positive(counts.dead),
        rows_estimated=figures.rows_estimated if figures else 0,
    )


def _state_of_stage(figures: StageFigures | None) -> str:
    if figures is None:
        return "not begun"
    return "done" if figures.finished else "stopped"


def endpoint_views(exchange: "Exchange", now_s: float) -> list[EndpointView]:
    """All endpoints that jobs share, or have shared."""
    return [_endpoint_view(shared, now_s) for shared in exchange.endpoints.values()]


def _endpoint_view(shared: "SharedEndpoint", now_s: float) -> EndpointView:
    ceilings, asked = shared.ceilings, shared.asked
    return EndpointView(
        id=shared.id,
        label=printable(shared.label),
        model=printable(shared.model),
        state=shared.state(now_s),
        why=_told(shared.why),
        in_flight=shared.in_flight,
        limit=shared.pace.limit,
        in_flight_max=ceilings.in_flight_max,
        requests_per_minute=ceilings.requests_per_minute,
        tokens_per_minute=ceilings.tokens_per_minute,
        input_tokens_per_minute=ceilings.input_tokens_per_minute,
        output_tokens_per_minute=ceilings.output_tokens_per_minute,
        paused_s=shared.pace.blocked_s(now_s),
        requests=asked.requests,
        answered=asked.answered,
        throttled=asked.throttled,
        failed=asked.failed,
        jobs=shared.jobs,
    )


def _positive(counts: Mapping[str, int]) -> dict[str, int]:
    return {printable(reason): rows for reason, rows in counts.items() if rows}


def _told(text: str) -> str:
    """For one field: of a reasonable length, line breaks kept apart from control characters."""
    return printable(text.replace("\n", " ")[:WHY_CHARACTERS_MAX])


def _time_of(at_s: float | None, now_s: float) -> str:
    """The time of day of a moment on the event loop's clock."""
    if at_s is None:
        return ""
    then = datetime.now(UTC) - timedelta(seconds=now_s - at_s)
    return then.isoformat(timespec="milliseconds").replace("+00:00", "Z")
