"""One run in this process: from a configuration to an exit code."""

import dataclasses
import gc
import resource
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import anyio
import anyio.to_thread

from personastream.build import Parts, build, identity, sections
from personastream.config import Config
from personastream.engine.run import Graph, Summary, run
from personastream.engine.settle import GroupCommit
from personastream.engine.statistics import Statistics
from personastream.engine.stop import Stop
from personastream.engine.work import no_parse
from personastream.errors import ConfigError, ExitCode
from personastream.launch.audit import record
from personastream.launch.earlier import AfterEarlier, earlier_run
from personastream.launch.endpoints import budget, check_prices, endpoints, keeps_batches, parse_of, retry_policy
from personastream.launch.extraction_guard import ExtractionGuard, check_protected, guarding
from personastream.launch.inference import inference
from personastream.launch.licence_gate import check_licences, gated, terms_of, told
from personastream.launch.manifest import Manifest
from personastream.launch.purged_rows import WithoutPurged
from personastream.launch.run_directory import begin_or_continue, owned
from personastream.launch.signals import obey_signals
from personastream.launch.sittings import settings_of, sitting
from personastream.launch.strangers import introduce
from personastream.limits import Limits
from personastream.ports import Checkpoints, Embedding, Provider, Recipe, Transform
from personastream.records import Shard
from personastream.sinks.checkpoints import journal_of

T = TypeVar("T")

FILES_BESIDES = 256
"""Open files besides connections: shards, parts, libraries."""
OBJECTS_PER_ROW = 100
"""Twice what a row in flight keeps alive. The garbage collector is told to let so many come and go: at Python's 700
in all it walks them again and again, for 13 % of the time with 256 rows in flight and 30 % with 2,000, and finds
next to nothing: only faults leave cycles behind."""


class Progress(Protocol):
    """Shows a run while it goes on."""

    async def show(self, statistics: Statistics, shards: Sequence[Shard], stop: Stop) -> None:
        """Until cancelled."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a sitting ended, for the last words on the screen."""

    directory: Path
    summary: Summary
    seconds: float

    @property
    def exit_code(self) -> ExitCode:
        """0 if the run is finished, 75 if work is left."""
        return ExitCode.DONE if self.summary.finished else ExitCode.WORK_LEFT


def run_config(
    config: Config,
    *,
    resume: bool,
    progress: Progress,
    rows_max: int | None = None,
    command: str = "",
    knows: Sequence[Config] = (),
) -> Outcome:
    """Run a configuration to its end or to a stop. Raises `RunError`.

    `command` is what to type to continue; `knows` are finished runs whose rows the transforms know beforehand.
    """
    parts = build(config)
    check_prices(parts.limits, parts.providers)
    workers = sum(provider.in_flight_max for provider in parts.providers)
    _raise_file_limit(sum(each.in_flight_max for each in parts.providers if not keeps_batches(each)))
    gc.set_threshold(max(gc.get_threshold()[0], OBJECTS_PER_ROW * workers))
    directory = Path(parts.sink.path)
    state = directory / "state"
    parts = dataclasses.replace(
        parts,
        source=_kept_in(state, parts.source, "index_dir"),
        providers=[_kept_in(directory / "batches", provider, "batch_dir") for provider in parts.providers],
    )
    shards = parts.source.shards()
    findings = check_licences(parts, shards)
    check_protected(parts.guard)
    with owned(directory), embedders(parts.transforms, parts.limits), _closed(parts.recipe):
        manifest = begin_or_continue(
            directory,
            config.path,
            identity(config, parts),
            shards,
            resume=resume,
            command=command,
            terms=[terms_of(provider).document() for provider in parts.providers],
        )
        if findings and config.licence.values:
            record(directory, "licence", **told(findings))
        introduce(parts.recipe, WithoutPurged(parts.source, directory), shards)
        parts.sink.attach(manifest.run_id, [shard.stem for shard in shards])
        guard = guarding(parts.guard, directory, shards)
        with sitting(directory, settings_of(sections(config, parts))) as ended:
            outcome = anyio.run(
                partial(_run, parts, shards, _checkpoints(parts, manifest, knows), progress, rows_max, guard),
                backend_options={"use_uvloop": True},
            )
            ended(outcome.exit_code, outcome.summary.counts, outcome.summary.usage)
        return outcome


def embedders(transforms: Sequence[Transform], limits: Limits) -> AbstractContextManager[None]:
    """While this is entered, transforms that need vectors get them."""
    if not any(isinstance(transform, Embedding) for transform in transforms):
        return nullcontext()
    from personastream.launch.embedder import bound  # numpy is of no use to others

    return bound(transforms, retry_policy(limits))


@contextmanager
def _closed(recipe: Recipe) -> Iterator[None]:
    """What a recipe has started beside the run ends with this block."""
    try:
        yield
    finally:
        close = getattr(recipe, "close", None)
        if close is not None:
            close()


def _kept_in(folder: Path, part: T, setting: str) -> T:
    """A part that keeps files of its own keeps them in the run directory, unless it was told another place."""
    if getattr(part, setting, "") is not None:
        return part
    return dataclasses.replace(part, **{setting: str(folder)})  # type: ignore[type-var]


def _raise_file_limit(in_flight_max: int) -> None:
    """One connection for each request in flight. Raises `ConfigError` if the system allows fewer."""
    wanted = in_flight_max + FILES_BESIDES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise ConfigError(
            f"[provider] in_flight_max = {in_flight_max} needs {wanted} open files; the system allows {hard}",
            hint="Raise the limit (ulimit -Hn, or LimitNOFILE in a service), or lower in_flight_max.",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _run(
    parts: Parts,
    shards: Sequence[Shard],
    checkpoints: Checkpoints,
    progress: Progress,
    rows_max: int | None,
    guard: ExtractionGuard | None,
) -> Outcome:
    started_s = anyio.current_time()
    stop, statistics = Stop(), Statistics()
    async with anyio.create_task_group() as around:
        around.start_soon(obey_signals, stop)
        around.start_soon(progress.show, statistics, shards, stop)
        async with _closing(parts.providers):
            failure = None
            try:
                graph = _graph(parts, shards, checkpoints, rows_max, guard)
                summary = await run(graph, stop, statistics, anyio.to_thread.run_sync)
                if summary.finished:
                    await _let_go(parts.providers)
            except Exception as error:  # passed on below: leaving the group with it would wrap it
                failure = error
        around.cancel_scope.cancel()
    if guard is not None:
        guard.save()
    if failure is not None:
        raise failure
    return Outcome(Path(parts.sink.path), summary, anyio.current_time() - started_s)


def _checkpoints(parts: Parts, manifest: Manifest, knows: Sequence[Config]) -> Checkpoints:
    own = journal_of(parts.sink.path, manifest.run_id)
    return AfterEarlier(own, [earlier_run(config) for config in knows], parts.transforms) if knows else own


def _graph(
    parts: Parts,
    shards: Sequence[Shard],
    checkpoints: Checkpoints,
    rows_max: int | None,
    guard: ExtractionGuard | None,
) -> Graph:
    sink, limits = parts.sink, parts.limits
    policy = retry_policy(limits)
    return Graph(
        source=WithoutPurged(parts.source, Path(sink.path)),
        shards=shards,
        transforms=gated(parts).transforms,
        recipe=parts.recipe,
        endpoints=endpoints(parts.providers, policy),
        sink=sink,
        checkpoints=checkpoints,
        group=GroupCommit(sink.commit_rows_max, sink.commit_bytes_max, sink.commit_interval_s),
        workers=sum(provider.in_flight_max for provider in parts.providers),
        parse=parse_of(parts.answering) or no_parse,
        prepare=inference(parts.recipe, Path(parts.sink.path)),
        retry=policy,
        budget=budget(Path(sink.path), limits, parts.providers),
        hedge_after_s=limits.hedge_after_s,
        hedge_share_max=limits.hedge_share_max,
        drain_s_max=limits.drain_s_max,
        dead_share_max=limits.dead_share_max,
        rows_max=rows_max,
        screens=parts.screens,
        watch=guard,
        clock=time.monotonic,  # a third of the cost of asking the event loop
    )


async def _let_go(providers: Sequence[Provider]) -> None:
    """All rows are settled: what providers keep for a resume is of no use any more."""
    for provider in providers:
        settled = getattr(provider, "settled", None)
        if settled is not None:
            await settled()


@asynccontextmanager
async def _closing(providers: Sequence[Provider]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True):
            for provider in providers:
                await provider.aclose()
