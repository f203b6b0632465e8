"""A configuration carried out as a coroutine: its stages one after the other, until one is not finished.

A configuration without stages is one stage without a name. The command line and the service both call this, each with
an audience of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import anyio.to_thread

from personastream.build import build, build_thinning
from personastream.config import Config, nearest
from personastream.core.spend import NANOS, shown
from personastream.engine.budget import Purse
from personastream.engine.exchange import Share
from personastream.engine.statistics import Statistics
from personastream.engine.stop import Stop
from personastream.errors import BadInput, ConfigError, ExitCode, RunBusy, SpendLimitReached
from personastream.launch.arrivals import Arrivals, follows
from personastream.launch.inline import Outcome, Progress, sit
from personastream.launch.licence_gate import check_licences
from personastream.launch.manifest import NAME as MANIFEST
from personastream.launch.stage_list import authorised_elsewhere, begin_stages
from personastream.ports import Stock
from personastream.stages import Stage

if TYPE_CHECKING:
    from personastream.launch.dedup_job import DedupEnd  # imported where there are such stages: it needs numpy


class Audience(Protocol):
    """Hears how stages are carried out."""

    def begins(self, stage: Stage) -> tuple[Statistics, Progress]:
        """A sitting of the stage begins: where its figures go, and who watches."""

    def follows(self, unfinished: Sequence[str]) -> None:
        """All that is there is done, and more may come: of that, these files are not whole yet."""

    def ended(self, stage: Stage, end: "Outcome | DedupEnd") -> None:
        """That sitting has ended, with work left or without. An error is raised instead."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be carried out: all stages, or `only` the one of that name.

    `rows_max` is for each stage; `command` is what to type to continue. Stages that follow are waited for, unless it is
    to be carried out `once`.
    """

    stages: Sequence[Stage]
    only: str = ""
    rows_max: int | None = None
    command: str = ""
    once: bool = False

    @property
    def chosen(self) -> list[Stage]:
        """The stages to carry out."""
        return [stage for stage in self.stages if self.only in ("", stage.name)]

    @property
    def root(self) -> Path:
        """Where the stages are, each in a folder of its name."""
        return Path(build_thinning(self.stages[0].config).sink.path).parent


async def carry_out(
    job: Job,
    *,
    resume: bool,
    stop: Stop,
    audience: Audience,
    share: Share | None = None,
    purse: Purse | None = None,
) -> ExitCode:
    """Carry on with the stages in their order, as far as that goes now. Raises `RunError`.

    `share` and `purse` are what it has in common with other jobs: see `sit`.

    Whoever cancels this leaves what is in flight to be asked again; nothing is held any more then.
    """
    staged = bool(job.stages[0].name)
    if staged:
        await anyio.to_thread.run_sync(partial(_begin, job, resume=resume))
    arrivals = await anyio.to_thread.run_sync(Arrivals, job.chosen)

    async def carry(stage: Stage, stock: Stock) -> ExitCode:
        again = arrivals.has_seen(stage)
        try:
            code = await _sit(job, stage, resume or staged or again, stop, audience, share, purse)
        except RunBusy:  # between sittings nobody held it: somebody purges, say, or asks dead rows again
            if not again:
                raise
            await stop.sleep(arrivals.look_s)
            return ExitCode.DONE  # of what was seen before; what has come is news still
        if code == ExitCode.DONE:
            arrivals.seen(stage, stock)
        return code

    while True:
        for stage in job.chosen:
            if stop.draining:
                return ExitCode.WORK_LEFT
            stock = await anyio.to_thread.run_sync(arrivals.news, stage)
            if stock is not None and (code := await carry(stage, stock)) != ExitCode.DONE:
                return code
        if job.once or not arrivals.follows:
            return ExitCode.DONE
        if not await _more(arrivals, stop, audience):
            return ExitCode.WORK_LEFT


async def _more(arrivals: Arrivals, stop: Stop, audience: Audience) -> bool:
    """Wait for more to do. False if a drain was asked for before it came."""
    told, before = list[str](), list[str]()
    audience.follows(told)
    while not await anyio.to_thread.run_sync(arrivals.any_news):
        unfinished = arrivals.unfinished
        if told != unfinished == before:  # most are whole a moment later
            audience.follows(unfinished)
            told = unfinished
        before = unfinished
        if not await stop.sleep(arrivals.look_s):
            return False
    return True


def _begin(job: Job, *, resume: bool) -> None:
    """All that can be told of stages before the first one sends anything. Raises `RunError`."""
    names = [stage.name for stage in job.stages]
    if job.only and job.only not in names:
        raise ConfigError(f"{job.stages[0].config.path} has no stage {job.only!r}", hint=nearest(job.only, names))
    for stage in job.stages:
        _check_licences(stage)
    begin_stages(job.root, job.stages, resume=resume or bool(job.only), command=job.command)


def _check_licences(stage: Stage) -> None:
    """Before the first stage sends anything, whether the last one may. Raises `LicenceRefused`."""
    if not stage.config.asks:
        return
    parts = build(stage.config)
    try:
        shards = parts.source.shards()
    except BadInput:
        shards = ()  # what earlier stages are still to write, or what is missing: its own stage will say so
    check_licences(parts, shards)


async def _sit(
    job: Job, stage: Stage, resume: bool, stop: Stop, audience: Audience, share: Share | None, purse: Purse | None
) -> ExitCode:
    await anyio.to_thread.run_sync(_check_begun, job, stage)
    statistics, watch = audience.begins(stage)
    end: Outcome | DedupEnd
    if not stage.config.asks:
        end = await _thin(job, stage, stop, statistics, watch)
    else:
        end = await sit(
            await anyio.to_thread.run_sync(_affordable, job, stage),
            resume=resume,
            stop=stop,
            statistics=statistics,
            watch=watch,
            rows_max=job.rows_max,
            command=job.command,
            knows=[each.config for name in stage.knows for each in job.stages if each.name == name],
            share=share,
            purse=purse,
        )
    audience.ended(stage, end)
    return end.exit_code


async def _thin(job: Job, stage: Stage, stop: Stop, statistics: Statistics, watch: Progress) -> "DedupEnd":
    from personastream.launch.dedup_job import sit_dedup
    from personastream.launch.dedup_stage import dedup_stage

    dedup = await anyio.to_thread.run_sync(dedup_stage, stage.config)
    return await sit_dedup(dedup, resume=True, stop=stop, statistics=statistics, watch=watch, command=job.command)


def _check_begun(job: Job, stage: Stage) -> None:
    """Raises `BadInput` for a stage that reads one which is not there."""
    if follows(stage.config):
        return
    for earlier in stage.reads:
        if not (job.root / earlier / MANIFEST).exists():
            hint = f"Run that first, with --stage {earlier}, or all of them, without --stage."
            raise BadInput(f"the stage {stage.name!r} reads {earlier!r}, which has not begun", hint=hint)


def _affordable(job: Job, stage: Stage) -> Config:
    """The stage's configuration with what other stages leave of the common ceiling. Raises `SpendLimitReached`."""
    config = stage.config
    ceiling = 0.0 if stage.own_limit else build_thinning(config).limits.spend_max
    if not ceiling:
        return config
    left = round(ceiling * NANOS) - authorised_elsewhere(job.root, job.stages, stage)
    if left <= 0:
        raise SpendLimitReached(
            f"all of [limits] spend_max = {ceiling:g} is spent by other stages ({shown(-left)} more than that)",
            hint="Raise it, then run again with --resume.",
        )
    limits = replace(config.limits, values={**config.limits.values, "spend_max": left / NANOS})
    return replace(config, limits=limits)
