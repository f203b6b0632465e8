"""One run in this process: from a configuration to an exit code, alone or beside others in one event loop."""

import dataclasses
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import anyio
import anyio.to_thread

from personastream.build import Parts, build, identity, sections
from personastream.config import Config
from personastream.engine.budget import Purse
from personastream.engine.exchange import Share
from personastream.engine.run import Graph, Prepare, Summary, run
from personastream.engine.settle import GroupCommit
from personastream.engine.statistics import Statistics
from personastream.engine.stop import Stop
from personastream.engine.work import no_parse
from personastream.errors import ExitCode
from personastream.launch.arrivals import grows, rows_expected, shards_of
from personastream.launch.audit import record
from personastream.launch.earlier import AfterEarlier, earlier_run
from personastream.launch.endpoints import budget, check_prices, endpoints, parse_of, retry_policy
from personastream.launch.extraction_guard import ExtractionGuard, check_protected, guarding
from personastream.launch.inference import inference
from personastream.launch.licence_gate import check_licences, gated, terms_of, told
from personastream.launch.manifest import Manifest
from personastream.launch.process import calm_collector, connections_of, raise_file_limit
from personastream.launch.purged_rows import WithoutPurged
from personastream.launch.run_directory import begin_or_continue, owned
from personastream.launch.signals import until_told
from personastream.launch.sittings import Ending, settings_of, sitting
from personastream.launch.strangers import introduce
from personastream.launch.threads import entered
from personastream.limits import Limits
from personastream.ports import Checkpoints, Embedding, Provider, Recipe, Transform
from personastream.records import Shard
from personastream.sinks.checkpoints import journal_of

T = TypeVar("T")


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
    """Run a configuration to its end or to a stop, which signals ask for. Raises `RunError`.

    `command` is what to type to continue; `knows` are finished runs whose rows the transforms know beforehand.
    """
    parts = build(config)
    raise_file_limit(connections_of(parts.providers))
    calm_collector(_workers(parts))

    async def obeying(stop: Stop) -> Outcome:
        return await sit(
            config,
            resume=resume,
            stop=stop,
            statistics=Statistics(),
            watch=progress,
            rows_max=rows_max,
            command=command,
            knows=knows,
        )

    return anyio.run(until_told, obeying, backend_options={"use_uvloop": True})


async def sit(
    config: Config,
    *,
    resume: bool,
    stop: Stop,
    statistics: Statistics,
    watch: Progress,
    rows_max: int | None = None,
    command: str = "",
    knows: Sequence[Config] = (),
    share: Share | None = None,
    purse: Purse | None = None,
) -> Outcome:
    """One sitting of a run, in a loop that may carry others: until it is done, or `stop` ends it. Raises `RunError`.

    Others may have to do with the same endpoints, and with the same money: then `share` is its place among them, and
    `purse` what all may spend together.

    What blocks happens in threads. However it ends, all that it held is let go; the process's own settings (signals,
    open files, the garbage collector) are its caller's.
    """
    parts = await anyio.to_thread.run_sync(build, config)
    check_prices(parts.limits, parts.providers, purse)
    async with entered(_prepared(config, parts, resume=resume, command=command, knows=knows)) as ready:
        graph = _graph(ready, rows_max, share, purse)
        outcome = await _run(ready, graph, stop, statistics, watch)
        ready.ended(outcome.exit_code, outcome.summary.counts, outcome.summary.usage)
    return outcome


@dataclass(frozen=True, slots=True)
class _Ready:
    """A run whose directory is ours, and recovered as far as it takes to begin."""

    parts: Parts
    shards: Sequence[Shard]
    checkpoints: Checkpoints
    guard: ExtractionGuard | None
    prepare: Prepare
    ended: Ending
    abandon: Callable[[], None]


@contextmanager
def _prepared(config: Config, parts: Parts, *, resume: bool, command: str, knows: Sequence[Config]) -> Iterator[_Ready]:
    """Hold a run's directory, with all in it that a sitting needs. Blocks, and raises `RunError`."""
    directory = Path(parts.sink.path)
    parts = dataclasses.replace(
        parts,
        source=_kept_in(directory / "state", parts.source, "index_dir"),
        providers=[_kept_in(directory / "batches", provider, "batch_dir") for provider in parts.providers],
    )
    shards = shards_of(parts.source, directory)
    findings = check_licences(parts, shards)
    check_protected(parts.guard)
    with owned(directory), embedders(parts.transforms, parts.limits) as abandon, _closed(parts.recipe):
        manifest = begin_or_continue(
            directory,
            config.path,
            identity(config, parts),
            shards,
            resume=resume,
            command=command,
            terms=[terms_of(provider).document() for provider in parts.providers],
            grows=grows(parts.source),
        )
        if findings and config.licence.values:
            record(directory, "licence", **told(findings))
        introduce(parts.recipe, WithoutPurged(parts.source, directory), shards)
        parts.sink.attach(manifest.run_id, [shard.stem for shard in shards])
        guard = guarding(parts.guard, directory, shards)
        with sitting(directory, settings_of(sections(config, parts))) as ended:
            checkpoints, prepare = _checkpoints(parts, manifest, knows), inference(parts.recipe, directory)
            yield _Ready(parts, shards, checkpoints, guard, prepare, ended, abandon)


def embedders(transforms: Sequence[Transform], limits: Limits) -> AbstractContextManager[Callable[[], None]]:
    """While this is entered, transforms that need vectors get them; what is yielded ends all waiting for them."""
    if not any(isinstance(transform, Embedding) for transform in transforms):
        return nullcontext(lambda: None)
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


async def _run(ready: _Ready, graph: Graph, stop: Stop, statistics: Statistics, watch: Progress) -> Outcome:
    started_s = anyio.current_time()
    parts, failure = ready.parts, None
    async with anyio.create_task_group() as around:
        around.start_soon(watch.show, statistics, ready.shards, stop)
        around.start_soon(_until_drain, stop, ready.abandon)
        async with _closing(parts.providers):
            try:
                summary = await run(graph, stop, statistics, anyio.to_thread.run_sync)
                if summary.finished:
                    await _let_go(parts.providers)
            except Exception as error:  # passed on below: leaving the group with it would wrap it
                failure = error
        around.cancel_scope.cancel()
    if ready.guard is not None:
        await anyio.to_thread.run_sync(ready.guard.save)
    if failure is not None:
        raise failure
    return Outcome(Path(parts.sink.path), summary, anyio.current_time() - started_s)


async def _until_drain(stop: Stop, abandon: Callable[[], None]) -> None:
    """The thread that reads waits for vectors until a drain, or until the sitting is cancelled."""
    try:
        await stop.wait_drain()
    finally:
        abandon()


def _checkpoints(parts: Parts, manifest: Manifest, knows: Sequence[Config]) -> Checkpoints:
    own = journal_of(parts.sink.path, manifest.run_id)
    return AfterEarlier(own, [earlier_run(config) for config in knows], parts.transforms) if knows else own


def _graph(ready: _Ready, rows_max: int | None, share: Share | None, purse: Purse | None) -> Graph:
    parts = ready.parts
    sink, limits = parts.sink, parts.limits
    policy = retry_policy(limits)
    return Graph(
        source=WithoutPurged(parts.source, Path(sink.path)),
        shards=ready.shards,
        transforms=gated(parts).transforms,
        recipe=parts.recipe,
        endpoints=endpoints(parts.providers, policy),
        sink=sink,
        checkpoints=ready.checkpoints,
        group=GroupCommit(sink.commit_rows_max, sink.commit_bytes_max, sink.commit_interval_s),
        workers=_workers(parts),
        parse=parse_of(parts.answering) or no_parse,
        prepare=ready.prepare,
        retry=policy,
        budget=budget(Path(sink.path), limits, parts.providers, purse),
        share=share,
        hedge_after_s=limits.hedge_after_s,
        hedge_share_max=limits.hedge_share_max,
        drain_s_max=limits.drain_s_max,
        dead_share_max=limits.dead_share_max,
        rows_max=rows_max,
        rows_expected=rows_expected(parts.source),
        screens=parts.screens,
        watch=ready.guard,
        clock=time.monotonic,  # a third of the cost of asking the event loop
    )


def _workers(parts: Parts) -> int:
    return sum(provider.in_flight_max for provider in parts.providers)


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
