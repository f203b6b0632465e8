"""Starts jobs, attends to their sittings, and decides what follows from each end.

Law: nothing that a job does ends the service: an error of any kind ends that job's sitting. What is to survive a kill
is written before it counts.
"""

import math
import random
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import replace

import anyio
import anyio.abc
import anyio.to_thread

from personastream.core.spend import NANOS
from personastream.engine.budget import Purse
from personastream.errors import ExitCode, PersonaStreamError, SpendLimitReached
from personastream.serve.clock import iso_now
from personastream.serve.course import Verdict, by_urgency, pause_s, verdict
from personastream.serve.happenings import Happenings, Kind
from personastream.serve.jobs import Jobs
from personastream.serve.live_job import LiveJob
from personastream.serve.sitting import Sitting
from personastream.serve.view import JobState
from personastream.serve.wanted import Ending, Wish

CarryOut = Callable[[LiveJob, Sitting], Awaitable[ExitCode]]
"""One sitting of a job: returns its exit code, or raises `RunError`."""
TRACEBACK_LINES = 40


class Supervisor:
    """`carry_out` is one sitting; `why_not` tells what a job lacks to start, "" if nothing; `begin` gives it a sitting.

    `jobs_max`, `retry_s`, `retry_s_max` and `drain_s_max` may be changed at any time.
    """

    def __init__(
        self,
        jobs: Jobs,
        happenings: Happenings,
        purse: Purse,
        *,
        carry_out: CarryOut,
        begin: Callable[[LiveJob], Sitting],
        why_not: Callable[[LiveJob], Awaitable[str]],
    ) -> None:
        self.jobs_max, self.retry_s, self.retry_s_max = 4, 60.0, 900.0
        self.drain_s_max = 120.0
        self.draining = False
        self._give_up_s = math.inf
        self._jobs = jobs
        self._happenings = happenings
        self._purse = purse
        self._carry_out = carry_out
        self._out_of_money: set[str] = set()
        self._begin = begin
        self._why_not = why_not
        self._changed = anyio.Event()

    def changed(self) -> None:
        """Something may start, or has ended."""
        self._changed.set()

    @property
    def sitting(self) -> list[LiveJob]:
        """The jobs at work."""
        return [job for job in self._jobs if job.sitting is not None]

    @property
    def _places_taken(self) -> int:
        """A job that only waits for more input holds none."""
        return sum(job.sitting is not None and job.sitting.phase is not JobState.FOLLOWING for job in self._jobs)

    async def run(self) -> None:
        """Until all sittings have ended after `drain`."""
        async with anyio.create_task_group() as sittings:
            while not (self.draining and not self.sitting):
                self._changed = anyio.Event()
                if not self.draining:
                    await self._start_what_may(sittings)
                elif anyio.current_time() >= self._give_up_s:
                    self.abort()
                with anyio.move_on_after(self._until_next_try_s()):
                    await self._changed.wait()

    def wake(self) -> None:
        """What jobs wait for may have come: they need not wait for their time."""
        for job in self._jobs:
            if job.state is JobState.WAITING:
                job.forget()
        self.changed()

    def forget(self, name: str) -> None:
        """The job is gone: another one may be called so."""
        self._out_of_money.discard(name)

    def drain(self) -> None:
        """End all sittings in order, and start none any more; after `drain_s_max`, end them all the same."""
        if not self.draining:
            self._give_up_s = anyio.current_time() + self.drain_s_max
        self.draining = True
        for job in self.sitting:
            assert job.sitting is not None
            job.sitting.end()
        self.changed()

    def abort(self) -> None:
        """End all sittings now; rows in flight are asked again at the next start."""
        self.drain()
        for job in self.sitting:
            assert job.sitting is not None
            job.sitting.abort()

    async def _start_what_may(self, sittings: anyio.abc.TaskGroup) -> None:
        now_s = anyio.current_time()
        ready = by_urgency((job for job in self._jobs if job.may_start(now_s)), lambda job: job.wanted)
        for job in ready:
            if self._places_taken >= self.jobs_max:
                job.waits_for = f"{self._run_already()}, as many as may"
                continue
            job.waits_for = await self._why_not(job)
            if not job.waits_for and job.may_start(now_s) and not self.draining:
                job.sitting = job.last = self._begin(job)
                sittings.start_soon(self._attend, job, job.sitting)

    def _run_already(self) -> str:
        return "1 job runs already" if self.jobs_max == 1 else f"{self.jobs_max} jobs run already"

    def _until_next_try_s(self) -> float:
        """A look now and then finds room that others have given back."""
        now_s = anyio.current_time()
        due = [job.next_try_s for job in self._jobs if job.next_try_s is not None and job.wanted.may_run]
        return max(0.01, min(1.0, min((self._give_up_s, *due)) - now_s))

    async def _attend(self, job: LiveJob, sitting: Sitting) -> None:
        """One sitting, from the first byte read to the decision on what follows."""
        code: ExitCode = ExitCode.BUG
        error: Exception | None = None
        try:
            if not job.wanted.started:
                await self._jobs.write(job, lambda wanted: replace(wanted, started=iso_now()))
            self._happenings.tell(Kind.STARTED, job.name)
            code = await self._carry_out(job, sitting)
        except Exception as fault:  # also a bug in this job, which is no reason to end others
            error, code = fault, getattr(fault, "exit_code", ExitCode.BUG)
        sitting.broke_off()
        sitting.share.leave()
        try:
            await self._follow_up(job, sitting, verdict(code, error, told_to_end=sitting.told_to_end), error)
        except PersonaStreamError as fault:  # the disk: what was decided is not written, so the job goes on later
            self._wait(job, Verdict(JobState.WAITING, ExitCode.IO_ERROR, fault.message, fault.hint), progress=False)
        job.sitting, job.need = None, None  # not before: until it is decided what follows, nothing may begin
        self.changed()

    async def _follow_up(self, job: LiveJob, sitting: Sitting, end: Verdict, error: Exception | None) -> None:
        wanted = job.wanted
        if isinstance(error, SpendLimitReached) and (sitting.commits or job.name not in self._out_of_money):
            self._out_of_money.add(job.name)  # told once, however often it is tried again in vain
            spend, spend_max = job.spend, job.spend_max
            if error.common:
                spend, spend_max = self._purse.spent / NANOS, self._purse.ceiling / NANOS
            details = {"why": error.message, "spend": spend, "spend_max": spend_max}
            self._happenings.tell(Kind.BUDGET_100, job.name, **details)
        if end.state is JobState.DONE or (end.state is JobState.FAILED and wanted.wish is not Wish.CANCEL):
            if error is not None and end.exit_code == ExitCode.BUG:
                lines = traceback.format_exception(error)[-TRACEBACK_LINES:]
                self._happenings.tell(Kind.BUG, job.name, traceback="".join(lines))
            await self._jobs.conclude(job, Ending(end.state, iso_now(), end.exit_code, end.why, end.hint))
        elif wanted.wish is Wish.CANCEL:
            await self._jobs.conclude(job, Ending(JobState.CANCELLED, iso_now()))
        elif wanted.wish is Wish.STOP:
            self._happenings.tell(Kind.STOPPED, job.name)
        elif end.state is JobState.WAITING and not self.draining:
            self._wait(job, end, progress=sitting.commits > 0)

    def _wait(self, job: LiveJob, end: Verdict, *, progress: bool) -> None:
        """It could not go on, and is tried again by itself."""
        job.tries = 1 if progress else job.tries + 1
        delay_s = pause_s(job.tries, self.retry_s, self.retry_s_max, random.random())
        job.next_try_s, job.verdict = anyio.current_time() + delay_s, end
        details = {"exit_code": end.exit_code, "why": end.why, "hint": end.hint, "pause_s": round(delay_s, 1)}
        self._happenings.tell(Kind.WAITING, job.name, **details)
