"""The service: all jobs in one process and one event loop, under shared limits."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

import anyio
import anyio.to_thread

from personastream import __version__
from personastream.build import build, build_thinning
from personastream.core.spend import NANOS
from personastream.engine.budget import Purse
from personastream.engine.exchange import Exchange
from personastream.engine.statistics import Statistics
from personastream.errors import ExitCode, PersonaStreamError
from personastream.observe.snapshot import printable
from personastream.serve import room
from personastream.serve.carry_out import Carrier
from personastream.serve.clock import iso_now
from personastream.serve.figures import figures_of, spent_by
from personastream.serve.happenings import Happenings, Kind
from personastream.serve.inbox import LOOK_S, Inbox
from personastream.serve.jobs import Jobs
from personastream.serve.live_job import LiveJob
from personastream.serve.live_limits import LiveLimits
from personastream.serve.pictures import endpoint_views, job_view
from personastream.serve.root import Root
from personastream.serve.settings import NAME as SETTINGS_NAME
from personastream.serve.settings import Settings, load_settings
from personastream.serve.shelf import Shelf
from personastream.serve.sitting import Sitting
from personastream.serve.supervisor import Supervisor
from personastream.serve.telemetry import Telemetry
from personastream.serve.view import JobState, ServiceView
from personastream.serve.vitals import Vitals

FIGURES_S = 1.0
BUDGET_SHARE = 0.8


class Service:
    """Create it inside the running event loop; `run` it until it has drained. `changes` stand above serve.toml."""

    def __init__(self, root: Root, settings: Settings, happenings: Happenings, changes: Sequence[str] = ()) -> None:
        self.root = root
        self.settings = settings
        self.changes = changes
        self.happenings = happenings
        self.telemetry: Telemetry | None = None
        self.key_errors: Sequence[str] = ()
        self.exchange = Exchange(time.monotonic)
        self.purse = Purse()
        self._shelf = Shelf(root, settings.serve.own_modules)
        self.jobs = Jobs(self._shelf, happenings, self._changed)
        self.supervisor = Supervisor(
            self.jobs,
            happenings,
            self.purse,
            carry_out=Carrier(self.jobs, self.purse),
            begin=self._begin,
            why_not=self._why_not,
        )
        self.vitals = Vitals(root.path, settings.serve.memory_bytes_max or room.memory_bytes_max())
        self.limits = LiveLimits(root, settings, happenings, self.exchange, self.purse, self.supervisor)
        self._warned: dict[str, float] = {}
        self._started, self._started_s = iso_now(), anyio.current_time()
        self._idle_bytes, self._loaded = 0, False

    async def run(self) -> None:
        """Take up all jobs there are, and go on until `drain` is through."""
        await self.jobs.load()
        await self._read_figures()
        await self.limits.load()
        await self.vitals.look()
        self._idle_bytes, self._loaded = self.vitals.memory_bytes, True
        async with anyio.create_task_group() as around:
            for task in (self.exchange.run, self.vitals.watch, self._look_at_figures, self._look_at_inbox):
                around.start_soon(task)
            self.happenings.tell(Kind.READY, jobs=len(self.jobs))
            await self.supervisor.run()
            around.cancel_scope.cancel()
        self.happenings.tell(Kind.ENDED)

    def view(self) -> ServiceView:
        """What there is to see now."""
        now_s, vitals = anyio.current_time(), self.vitals
        why_not = self.why_not_ready()
        return ServiceView(
            version=__version__,
            started=self._started,
            state="draining" if self.supervisor.draining else "running",
            ready=not why_not,
            why_not=why_not,
            now=iso_now(),
            uptime_s=now_s - self._started_s,
            spend=sum(job.spend for job in self.jobs),
            spend_max=self.limits.spend_max,
            disk_free_bytes=vitals.disk_free_bytes,
            memory_bytes=vitals.memory_bytes,
            memory_bytes_max=vitals.memory_bytes_max,
            descriptors=vitals.descriptors,
            descriptors_max=vitals.descriptors_max,
            tasks=vitals.tasks,
            loop_lag_s=vitals.loop_lag_s,
            jobs=[job_view(job, now_s) for job in self.jobs],
            endpoints=endpoint_views(self.exchange, now_s),
            key_errors=self.key_errors,
        )

    def statistics(self) -> Mapping[str, Statistics]:
        """The engine's counters of each job that has sat in this process: those of its last sitting."""
        return {job.name: job.last.whole for job in self.jobs if job.last is not None}

    def why_not_ready(self) -> list[str]:
        """What stands in the way of work, if anything does."""
        found = []
        if not self._loaded:
            found.append("jobs are being read")
        if self.supervisor.draining:
            found.append("the service drains")
        if self.vitals.disk_free_bytes < self.settings.serve.disk_bytes_min:
            found.append("the disk is nearly full")
        return found

    async def reload(self) -> None:
        """Read serve.toml and all keys again; jobs that a key had failed go on.

        A mistake in serve.toml changes nothing, and raises `ConfigError`; one in a key leaves the old key in use.
        """
        try:
            settings = await anyio.to_thread.run_sync(load_settings, self.root / SETTINGS_NAME, self.changes)
            self.limits.obey(settings)
        except PersonaStreamError as error:
            self.happenings.tell(Kind.NOT_RELOADED, why=error.message, hint=error.hint)
            raise
        self.settings = settings
        self._shelf.own_modules = settings.serve.own_modules
        renewed, errors = self.exchange.renew_keys()
        self.key_errors = list(dict.fromkeys(printable(error.message) for error in errors))
        for job in list(self.jobs):
            ending = job.wanted.ending
            if ending is not None and ending.state is JobState.FAILED and ending.exit_code == ExitCode.NO_PERMISSION:
                with suppress(PersonaStreamError):  # its files are damaged too: it stays as it is
                    await self.jobs.resume(job.name)
        self.happenings.tell(Kind.RELOADED)
        if renewed:
            self.happenings.tell(Kind.KEYS_RENEWED, renewed=renewed)
        if errors:
            self.happenings.tell(Kind.KEYS_NOT_RENEWED, errors=self.key_errors, hint=errors[0].hint)

    async def forget(self, name: str) -> LiveJob:
        """A job that has ended is none any more: what was known of it here goes as well. Raises a `Refusal`."""
        job = await self.jobs.forget(name)
        for stage in job.stages:
            self.purse.forget(str(job.directory / stage.name))
        self._warned.pop(name, None)
        self.supervisor.forget(name)
        return job

    def drain(self) -> None:
        """End all sittings in order, and start none: jobs go on at the next start."""
        if not self.supervisor.draining:
            self.happenings.tell(Kind.DRAINING)
            self.supervisor.drain()

    def abort(self) -> None:
        """The same at once: rows in flight are asked again at the next start."""
        self.supervisor.abort()

    def _changed(self) -> None:
        self.supervisor.changed()

    def _begin(self, job: LiveJob) -> Sitting:
        share = self.exchange.join(job.name, priority=job.wanted.priority, weight=job.wanted.weight)
        sitting = Sitting(share, past=job.figures)
        if self.telemetry is not None:
            sitting.statistics.attempted = self.telemetry.of_job(job.name)
        return sitting

    async def _why_not(self, job: LiveJob) -> str:
        """What the job lacks to start, in words; "" if it may. A job that cannot be built may: its sitting says why."""
        if job.need is None:
            try:
                job.need = await anyio.to_thread.run_sync(_need_of, job)
            except Exception:  # a mistake, or a bug in somebody's adapter: told when the sitting meets it
                return ""
        need = job.need
        await self.vitals.look()
        at_work = [each.need for each in self.supervisor.sitting if each.need is not None]
        promised = self._idle_bytes + sum(each.memory_bytes for each in at_work)  # what they do not have yet, they will
        return room.missing(
            need,
            room.Room(
                memory_bytes=max(promised, self.vitals.memory_bytes),
                memory_bytes_max=self.vitals.memory_bytes_max,
                connections=sum(each.connections for each in at_work),
                descriptors_max=self.vitals.descriptors_max,
                disk_free_bytes=self.vitals.disk_free_bytes,
                disk_bytes_min=self.settings.serve.disk_bytes_min,
            ),
        )

    async def _look_at_figures(self) -> None:
        while True:
            for job in self.jobs:
                if job.sitting is not None:
                    job.sitting.look()
                    self._mind_disk(job.name, job.sitting)
                    self._mind_budget(job.name, job.spend, job.spend_max)
            self._mind_budget("", self.purse.spent / NANOS, self.limits.spend_max)
            await anyio.sleep(FIGURES_S)

    def _mind_disk(self, job: str, sitting: Sitting) -> None:
        """Tell once that a full disk holds a job up, and once that it goes on."""
        why = sitting.statistics.paused
        if why and not sitting.held_up:
            self.happenings.tell(Kind.DISK_FULL, job, why=why)
        elif sitting.held_up and not why:
            self.happenings.tell(Kind.DISK_HAS_ROOM, job)
        sitting.held_up = bool(why)

    def _mind_budget(self, job: str, spend: float, spend_max: float) -> None:
        """Tell once that most of a ceiling is gone; again, if it is raised."""
        if spend_max and spend >= BUDGET_SHARE * spend_max and self._warned.get(job) != spend_max:
            self._warned[job] = spend_max
            self.happenings.tell(Kind.BUDGET_80, job, spend=spend, spend_max=spend_max)

    async def _look_at_inbox(self) -> None:
        inbox = Inbox(self.root, self.jobs, self.happenings)
        while True:
            if not self.supervisor.draining:
                await inbox.look()
            await anyio.sleep(LOOK_S)

    async def _read_figures(self) -> None:
        """What all runs hold and have spent, before any goes on: the ceiling on spending counts them all."""
        for job in list(self.jobs):  # while this reads, people may submit others, or forget some
            job.seen(await anyio.to_thread.run_sync(figures_of, job.directory, job.stages))
            spent = await anyio.to_thread.run_sync(spent_by, job.directory, job.stages, job.figures)
            for run, nanos in spent.items():
                self.purse.know(run, nanos)


def _need_of(job: LiveJob) -> room.Need:
    """The greatest need among its stages: they run one after the other. Blocks."""
    needs = []
    for stage in job.stages:
        parts = build(stage.config) if stage.config.asks else build_thinning(stage.config)
        try:
            shards = parts.source.shards()
        except PersonaStreamError:
            shards = ()  # what an earlier stage is still to write
        needs.append(room.need_of(parts, shards))
    return room.Need(max(each.memory_bytes for each in needs), max(each.connections for each in needs))
