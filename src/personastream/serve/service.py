"""The service: all jobs in one process and one event loop, under shared limits."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
import anyio.to_thread

from personastream import __version__
from personastream.build import build, build_thinning
from personastream.engine.exchange import Exchange
from personastream.engine.statistics import Statistics
from personastream.errors import PersonaStreamError
from personastream.serve import room
from personastream.serve.carry_out import Carrier
from personastream.serve.clock import iso_now
from personastream.serve.figures import figures_of
from personastream.serve.happenings import Happenings, Kind
from personastream.serve.inbox import LOOK_S, Inbox
from personastream.serve.jobs import Jobs
from personastream.serve.live_job import LiveJob
from personastream.serve.pictures import endpoint_views, job_view
from personastream.serve.root import Root
from personastream.serve.settings import NAME as SETTINGS_NAME
from personastream.serve.settings import Settings, load_settings
from personastream.serve.sitting import Sitting
from personastream.serve.supervisor import Supervisor
from personastream.serve.view import ServiceView
from personastream.serve.vitals import Vitals

FIGURES_S = 1.0


class Service:
    """Create it inside the running event loop; `run` it until it has drained."""

    def __init__(self, root: Root, settings: Settings, happenings: Happenings) -> None:
        self.root = root
        self.settings = settings
        self.happenings = happenings
        self.exchange = Exchange()
        self.jobs = Jobs(root, happenings, self._changed, own_modules=settings.serve.own_modules)
        self.supervisor = Supervisor(
            self.jobs, happenings, carry_out=Carrier(self.jobs), begin=self._begin, why_not=self._why_not
        )
        self.vitals = Vitals(root.path, settings.serve.memory_bytes_max or room.memory_bytes_max())
        self.limits: dict[str, Any] = {}
        self._started, self._started_s = iso_now(), anyio.current_time()
        self._changing = anyio.Lock()
        self._loaded = False

    async def run(self, opened: Callable[[], Awaitable[None]] | None = None) -> None:
        """Take up all jobs there are, and go on until `drain` is through. `opened` is called when they are known."""
        self.limits = await anyio.to_thread.run_sync(self.root.read_limits)
        self._obey_limits()
        await self.jobs.load()
        await self.vitals.look()
        self._loaded = True
        async with anyio.create_task_group() as around:
            for task in (self.vitals.watch, self._look_at_figures, self._look_at_inbox, self._read_figures):
                around.start_soon(task)
            if opened is not None:
                await opened()
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
            spend_max=self.spend_max,
            disk_free_bytes=vitals.disk_free_bytes,
            memory_bytes=vitals.memory_bytes,
            memory_bytes_max=vitals.memory_bytes_max,
            descriptors=vitals.descriptors,
            descriptors_max=vitals.descriptors_max,
            loop_lag_s=vitals.loop_lag_s,
            jobs=[job_view(job, now_s) for job in self.jobs],
            endpoints=endpoint_views(self.exchange, now_s),
        )

    def statistics(self) -> Mapping[str, Statistics]:
        """The engine's counters of each job that has sat in this process: those of its last sitting."""
        return {job.name: job.last.statistics for job in self.jobs if job.last is not None}

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

    @property
    def spend_max(self) -> float:
        """The ceiling on what all jobs may cost, by a live change or by serve.toml; 0 for none."""
        return float(self.limits.get("service", {}).get("spend_max", self.settings.limits.spend_max))

    async def change(self, *, spend_max: float | None = None, jobs_max: int | None = None) -> None:
        """Live changes of the whole; durable on return. Raises `StorageFailed`."""
        given: dict[str, Any] = {"spend_max": spend_max, "jobs_max": jobs_max}
        changes = {key: value for key, value in given.items() if value is not None}
        await self._write_limits("service", changes)
        self.happenings.tell(Kind.LIMITS_CHANGED, **changes)

    async def change_endpoint(self, name: str, ceilings: Mapping[str, float]) -> None:
        """Live ceilings of one endpoint; durable on return, in effect within a second. Raises `StorageFailed`."""
        given = self.limits.get("endpoints", {}).get(name, {})
        await self._write_limits("endpoints", {name: {**given, **ceilings}})
        self.exchange.change(name, **ceilings)
        self.happenings.tell(Kind.LIMITS_CHANGED, endpoint=name, **ceilings)

    async def reload(self) -> None:
        """Read serve.toml and all keys again. Raises `ConfigError`; what is wrong then changes nothing."""
        settings = await anyio.to_thread.run_sync(load_settings, self.root / SETTINGS_NAME)
        self.settings = settings
        self.jobs.own_modules = settings.serve.own_modules
        self._obey_limits()
        self.happenings.tell(Kind.RELOADED)

    def drain(self) -> None:
        """End all sittings in order, and start none: jobs go on at the next start."""
        if not self.supervisor.draining:
            self.happenings.tell(Kind.DRAINING)
            self.supervisor.drain()

    def abort(self) -> None:
        """The same at once: rows in flight are asked again at the next start."""
        self.supervisor.abort()

    async def _write_limits(self, part: str, changes: Mapping[str, Any]) -> None:
        async with self._changing:
            limits = {**self.limits, part: {**self.limits.get(part, {}), **changes}}
            await anyio.to_thread.run_sync(self.root.write_limits, limits)
            self.limits = limits
            self._obey_limits()

    def _obey_limits(self) -> None:
        """serve.toml, with live changes on top."""
        serve, live = self.settings.serve, self.limits.get("service", {})
        self.supervisor.jobs_max = int(live.get("jobs_max", serve.jobs_max))
        self.supervisor.retry_s, self.supervisor.retry_s_max = serve.retry_s, serve.retry_s_max
        self.supervisor.changed()

    def _changed(self) -> None:
        self.supervisor.changed()

    def _begin(self, job: LiveJob) -> Sitting:
        return Sitting(self.exchange.join(job.name, priority=job.wanted.priority, weight=job.wanted.weight))

    async def _why_not(self, job: LiveJob) -> str:
        """What the job lacks to start, in words; "" if it may. A job that cannot be built may: its sitting says why."""
        if job.need is None:
            try:
                job.need = await anyio.to_thread.run_sync(_need_of, job)
            except Exception:  # a mistake, or a bug in somebody's adapter: told when the sitting meets it
                return ""
        need = job.need
        await self.vitals.look()
        at_work = [each.need.connections for each in self.supervisor.sitting if each.need is not None]
        return room.missing(
            need,
            room.Room(
                memory_bytes=self.vitals.memory_bytes,
                memory_bytes_max=self.vitals.memory_bytes_max,
                connections=sum(at_work),
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
            await anyio.sleep(FIGURES_S)

    async def _look_at_inbox(self) -> None:
        inbox = Inbox(self.root, self.jobs, self.happenings)
        while True:
            if not self.supervisor.draining:
                await inbox.look()
            await anyio.sleep(LOOK_S)

    async def _read_figures(self) -> None:
        """What jobs hold that this process has not seen at work, one after the other."""
        for job in list(self.jobs):
            if job.stages and job.sitting is None and not job.figures:
                job.seen(await anyio.to_thread.run_sync(figures_of, job.directory, job.stages))


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
