"""All jobs, and what people may do to them. Each verb is durable before it returns."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from personastream.serve.clock import iso_now
from personastream.serve.figures import figures_of
from personastream.serve.happenings import Happenings, Kind
from personastream.serve.live_job import LiveJob
from personastream.serve.refusals import Conflicting, NotThere, Unfit
from personastream.serve.root import NAME_HINT, is_name
from personastream.serve.shelf import Shelf
from personastream.serve.submission import check_submission
from personastream.serve.view import ENDED, JobState
from personastream.serve.wanted import (
    Ending,
    NotWanted,
    Wanted,
    Wish,
    cancelled,
    paused,
    resumed,
    retried,
    stopped,
)

JOBS_MAX = 10_000
"""Jobs that a service remembers, done ones included."""
REASONS_TOLD = 20


class Jobs:
    """The jobs by name, in the order in which they were submitted. `changed` is called after every change."""

    def __init__(self, shelf: Shelf, happenings: Happenings, changed: Callable[[], None]) -> None:
        self._shelf = shelf
        self._root = shelf.root
        self._happenings = happenings
        self._changed = changed
        self._jobs: dict[str, LiveJob] = {}
        self._adding = anyio.Lock()

    def __iter__(self) -> Iterator[LiveJob]:
        return iter(self._jobs.values())

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, name: str) -> bool:
        return name in self._jobs

    def named(self, name: str) -> LiveJob:
        """Raises `NotThere`."""
        job = self._jobs.get(name)
        if job is None:
            raise NotThere(f"there is no job {name[:100]!r}", hint="`personastream ctl list` shows all.")
        return job

    async def load(self) -> None:
        """All jobs that lie in the root. What is damaged becomes a job that failed, and harms no other."""
        self._jobs = {job.name: job for job in await anyio.to_thread.run_sync(self._shelf.jobs)}

    async def submit(
        self,
        name: str,
        content: bytes,
        *,
        base: str = "",
        priority: int | None = None,
        weight: float | None = None,
        hold: bool = False,
    ) -> LiveJob:
        """A new job, paused if it is to `hold`. Raises `ConfigError`, or a `Refusal`."""
        if not is_name(name):
            raise Unfit(f"{name[:100]!r} is no name for a job", hint=NAME_HINT)
        base = base or str(self._root.path)
        async with self._adding:
            _check_name(name, self._jobs)
            submission = await anyio.to_thread.run_sync(self._shelf.submission, name, content, base)
            _check_place(submission.directory, self)
            await anyio.to_thread.run_sync(check_submission, submission)
            wanted = Wanted(
                order=max((job.wanted.order for job in self), default=0) + 1,
                submitted=iso_now(),
                base=base,
                directory=str(submission.directory),
                priority=submission.settings.priority if priority is None else priority,
                weight=submission.settings.weight if weight is None else weight,
                wish=Wish.PAUSE if hold else Wish.RUN,
            )
            await anyio.to_thread.run_sync(self._root.add_job, name, content, wanted)
            job = self._jobs[name] = LiveJob(name, wanted, submission.directory)
            job.take(submission)
        aside = {"directory": wanted.directory, "left_aside": job.left_aside} if job.left_aside else {}
        self._happenings.tell(Kind.SUBMITTED, name, priority=wanted.priority, weight=wanted.weight, **aside)
        self._changed()
        return job

    async def pause(self, name: str) -> LiveJob:
        """No further request is sent; the sitting stays."""
        job = await self._wish(name, paused, Kind.PAUSED)
        if job.sitting is not None:
            job.sitting.share.held = True
        return job

    async def resume(self, name: str) -> LiveJob:
        """Go on after a pause, a stop or a failure, or try again now."""
        job = self.named(name)
        await self._reread(self.named(name))
        job = await self._wish(name, resumed, Kind.RESUMED)
        job.forget()
        if job.sitting is not None and not job.sitting.told_to_end:
            job.sitting.share.held = False
        return job

    async def stop(self, name: str) -> LiveJob:
        """The sitting ends in order; the run's lock is given back."""
        job = _ending(await self._wish(name, stopped))
        if job.sitting is None:
            self._happenings.tell(Kind.STOPPED, name)
        return job

    async def cancel(self, name: str) -> LiveJob:
        """The job ends for good; its output stays."""
        job = _ending(await self._wish(name, cancelled))
        if job.sitting is None:
            await self.conclude(job, Ending(JobState.CANCELLED, iso_now()))
        return job

    async def retry(self, name: str, reasons: Sequence[str] = ()) -> LiveJob:
        """Dead rows are asked again, as soon as no sitting is in the way: of one that is at work, more may die."""
        job = self.named(name)
        await self._reread(job)
        if job.sitting is None and not job.fault:
            await anyio.to_thread.run_sync(_check_dead, job, reasons)
        job = _ending(await self._wish(name, lambda wanted: retried(wanted, tuple(reasons)), Kind.RESUMED))
        job.forget()
        return job

    async def forget(self, name: str) -> LiveJob:
        """A job that has ended is none any more, and its name is free; its run stays where it is."""
        job = self.named(name)
        async with self._adding, job.writing:
            _check_there(self, job)
            if job.sitting is not None or job.state not in ENDED:
                raise Conflicting(
                    f"{name}: it is {job.state}, and only what has ended can be forgotten",
                    hint=f"`personastream ctl cancel {name}` ends it.",
                )
            await anyio.to_thread.run_sync(self._root.remove_job, name)
            del self._jobs[name]
        self._happenings.tell(Kind.FORGOTTEN, name)
        self._changed()
        return job

    async def change(
        self, name: str, *, priority: int | None = None, weight: float | None = None, spend_max: float | None = None
    ) -> LiveJob:
        """Priority and weight count at once, also for requests that wait; for a ceiling, a new sitting begins."""
        given: dict[str, Any] = {"priority": priority, "weight": weight, "spend_max": spend_max}
        changes = {key: value for key, value in given.items() if value is not None}
        job = await self._write(name, lambda wanted: replace(wanted, **changes))
        if job.sitting is not None:
            job.sitting.share.priority, job.sitting.share.weight = job.wanted.priority, job.wanted.weight
        if spend_max is not None:
            await self._reread(job)
            job.forget()
            _ending(job)
        self._happenings.tell(Kind.LIMITS_CHANGED, name, **changes)
        self._changed()
        return job

    async def conclude(self, job: LiveJob, ending: Ending) -> None:
        """The job has ended so; it has not if it is done and somebody wants its dead rows asked again.

        It is told first: a kill in between has it told again, never not at all.
        """

        def concluded(wanted: Wanted) -> Wanted:
            goes_on = ending.state is JobState.DONE and wanted.revive
            return wanted if goes_on else replace(wanted, ending=ending)

        if concluded(job.wanted).ending is None:
            return
        details = {"exit_code": ending.exit_code, "why": ending.why, "hint": ending.hint}
        kinds = {JobState.DONE: Kind.DONE, JobState.FAILED: Kind.FAILED, JobState.CANCELLED: Kind.CANCELLED}
        self._happenings.tell(kinds[ending.state], job.name, **details)
        await self.write(job, concluded)
        self._changed()

    async def write(self, job: LiveJob, change: Callable[[Wanted], Wanted]) -> None:
        """What is wanted of a job, changed; durable on return. Raises `NotWanted`, `NotThere` or `StorageFailed`."""
        async with job.writing:
            _check_there(self, job)
            wanted = change(job.wanted)
            await anyio.to_thread.run_sync(self._root.write_wanted, job.name, wanted)
            job.wanted = wanted

    async def _wish(self, name: str, change: Callable[[Wanted], Wanted], kind: Kind | None = None) -> LiveJob:
        job = await self._write(name, change)
        if kind is not None:
            self._happenings.tell(kind, name)
        self._changed()
        return job

    async def _write(self, name: str, change: Callable[[Wanted], Wanted]) -> LiveJob:
        job = self.named(name)
        if job.fault:
            raise Conflicting(f"{name}: {job.fault}", hint="Mend its files, then restart the service.")
        try:
            await self.write(job, change)
        except NotWanted as error:
            raise Conflicting(f"{name}: {error}") from error
        return job

    async def _reread(self, job: LiveJob) -> None:
        """Take up the job's configuration anew. Raises `ConfigError` or another `PersonaStreamError`."""
        if not job.fault:
            submission = await anyio.to_thread.run_sync(self._shelf.again, job.name, job.wanted)
            job.take(submission)
            if job.sitting is None:
                job.need = None


def _ending(job: LiveJob) -> LiveJob:
    if job.sitting is not None:
        job.sitting.end()
    return job


def _check_there(jobs: Jobs, job: LiveJob) -> None:
    """Raises `NotThere` for a job that was forgotten while somebody waited for it."""
    if jobs.named(job.name) is not job:
        raise NotThere(f"the job {job.name!r} was forgotten; another one is called so now")


def _check_name(name: str, jobs: Mapping[str, LiveJob]) -> None:
    """Raises `Conflicting`."""
    if name in jobs:
        raise Conflicting(f"there is a job {name!r} already", hint="Give this one another name.")
    if len(jobs) >= JOBS_MAX:
        raise Conflicting(f"there are {JOBS_MAX:,} jobs", hint="`personastream ctl forget NAME` lets old ones go.")


def _check_place(ours: Path, jobs: Iterable[LiveJob]) -> None:
    """No job writes into the run of another one. Raises `Conflicting`."""
    for job in jobs:
        theirs = job.directory
        if ours == theirs or ours in theirs.parents or theirs in ours.parents:
            raise Conflicting(
                f"{ours} belongs to the job {job.name!r}", hint="Give this one another name or [sink] path."
            )


def _check_dead(job: LiveJob, reasons: Sequence[str]) -> None:
    """There is something to ask again. Blocks. Raises `Conflicting`."""
    figures = figures_of(job.directory, job.stages).values()
    dead = sorted({reason for each in figures for reason, rows in each.counts.dead.items() if rows})
    if not dead:
        hint = f"`personastream ctl resume {job.name}` goes on with it." if job.state is not JobState.DONE else ""
        raise Conflicting(f"{job.name}: no row of it is dead: there is nothing to ask again", hint=hint)
    if reasons and not set(dead) & set(reasons):
        told = ", ".join(each[:100] for each in reasons[:REASONS_TOLD])
        raise Conflicting(
            f"{job.name}: no row died for {told}", hint=f"Rows died for {', '.join(dead[:REASONS_TOLD])}."
        )
