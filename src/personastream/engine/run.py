"""Run: ties feed, workers and settle together, and brings them to an orderly end whatever happens."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio
from anyio.abc import TaskGroup

from personastream.core.outcomes import Counts, Usage
from personastream.core.retry import RetryPolicy
from personastream.engine.ask import Asker
from personastream.engine.budget import Budget
from personastream.engine.endpoint import Endpoint
from personastream.engine.exchange import Exchange, Share
from personastream.engine.feed import Feed, Reading
from personastream.engine.hedge import Hedge
from personastream.engine.pool import Abandoned, Pool
from personastream.engine.screening import Screening
from personastream.engine.settle import GroupCommit, Settle
from personastream.engine.statistics import Statistics
from personastream.engine.stop import Stop
from personastream.engine.work import Parse, no_parse, work
from personastream.errors import RunError
from personastream.ports import Ask, Checkpoints, Offload, Recipe, Screen, Sink, Source, Transform, Watch
from personastream.records import Shard

Prepare = Callable[[Ask], Awaitable[None]]
"""What has to be asked once, before the first row."""


async def nothing_to_prepare(ask: Ask) -> None:
    """For recipes that know all they need."""


@dataclass(slots=True)
class Graph:
    """A run, ready to go: every part built, nothing started. Times are seconds, on the scale of `clock`.

    Nothing is hedged if `hedge_after_s` is 0. `share` is the run's place at an exchange, whose clock is the same; one
    that has the endpoints to itself needs none.
    """

    source: Source
    shards: Sequence[Shard]
    transforms: Sequence[Transform]
    recipe: Recipe
    endpoints: Sequence[Endpoint]
    sink: Sink
    checkpoints: Checkpoints
    group: GroupCommit
    workers: int
    parse: Parse = no_parse
    prepare: Prepare = nothing_to_prepare
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    budget: Budget | None = None
    hedge_after_s: float = 0.0
    hedge_share_max: float = 0.05
    drain_s_max: float = 120.0
    dead_share_max: float = 0.5
    rows_max: int | None = None
    rows_expected: int = 0
    screens: Sequence[Screen] = ()
    watch: Watch | None = None
    share: Share | None = None
    clock: Callable[[], float] = anyio.current_time


@dataclass(frozen=True, slots=True)
class Summary:
    """How a sitting ended. `counts` and `usage` cover the whole run, `spent` this sitting."""

    finished: bool
    counts: Counts
    usage: Usage
    spent: Usage


async def run(graph: Graph, stop: Stop, statistics: Statistics, offload: Offload) -> Summary:
    """Carry the run as far as it goes; whatever is complete at the end is committed. Raises `RunError`."""
    states = await offload(graph.sink.recover)
    statistics.committed = sum((state.counts for state in states), Counts())
    statistics.settled_before = statistics.committed.settled
    statistics.committed_usage = sum((state.usage for state in states), Usage())
    statistics.spent_before_nanos = statistics.committed_usage.spend_nanos
    statistics.endpoints, statistics.recovered = graph.endpoints, True
    settle = Settle(
        graph.sink, graph.shards, states, graph.group, graph.dead_share_max, statistics, stop, offload, graph.watch
    )
    reading = Reading(
        source=graph.source,
        transforms=graph.transforms,
        shards=graph.shards,
        states=states,
        letters=graph.sink.letters,
        checkpoints=graph.checkpoints,
        stop=stop,
        rows_expected=graph.rows_expected,
    )
    feed = Feed(reading, settle, statistics, stop, offload, graph.rows_max)
    budget = graph.budget
    try:
        with budget.sitting(statistics.spent_before_nanos) if budget is not None else nullcontext():
            async with anyio.create_task_group() as around:
                around.start_soon(_abort_in_time, stop, graph.drain_s_max)
                async with anyio.create_task_group() as committing:
                    committing.start_soon(settle.run)
                    await _work(graph, feed, settle, statistics, stop)
                    settle.close()
                if budget is not None:
                    await budget.close()
                around.cancel_scope.cancel()
    except* RunError as group:
        stop.fail(first_failure(group))
    if stop.failure is not None:
        raise stop.failure
    return Summary(settle.finished, statistics.committed, statistics.committed_usage, statistics.usage)


async def _work(graph: Graph, feed: Feed, settle: Settle, statistics: Statistics, stop: Stop) -> None:
    """Until the rows end, or a drain is done, or an abort cuts it short."""
    pool = Pool(graph.endpoints, stop, graph.share or Exchange(graph.clock).join(""))
    hedge = Hedge(graph.hedge_after_s, graph.hedge_share_max, statistics) if graph.hedge_after_s else None
    ask = Asker(pool, graph.retry, statistics, stop, graph.budget, hedge, graph.clock)
    screening = Screening(graph.screens) if graph.screens else None
    worker = partial(work, feed, graph.recipe, ask, graph.parse, settle, stop, screening)
    try:
        async with anyio.create_task_group() as around:
            around.start_soon(feed.fill)
            around.start_soon(pool.run)
            around.start_soon(pool.abandon_on_drain)
            around.start_soon(_end_early, feed, stop, around.cancel_scope)
            await _prepare(graph.prepare, ask, stop)
            async with anyio.create_task_group() as workers:
                for _ in range(graph.workers):
                    workers.start_soon(worker)
                around.start_soon(_recruit, pool, workers, worker)
            around.cancel_scope.cancel()
    finally:
        pool.close()


async def _recruit(pool: Pool, workers: TaskGroup, worker: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Where more may be in flight than the run was built for, more workers carry it."""
    more = 0
    while True:
        wanted = await pool.raised(more)
        for _ in range(wanted - more):
            workers.start_soon(worker)
        more = wanted


async def _prepare(prepare: Prepare, ask: Ask, stop: Stop) -> None:
    """No row is asked for before this is done: if it cannot be, the run drains."""
    try:
        await prepare(ask)
    except RunError as error:
        stop.fail(error)
    except Abandoned:
        stop.drain()


async def _end_early(feed: Feed, stop: Stop, scope: anyio.CancelScope) -> None:
    await stop.wait_drain()
    feed.wake()
    await stop.wait_abort()
    scope.cancel()


async def _abort_in_time(stop: Stop, drain_s_max: float) -> None:
    """A drain that lasts too long becomes an abort, even if it is only the last commit that a full disk holds up."""
    await stop.wait_drain()
    with anyio.move_on_after(drain_s_max):
        await stop.wait_abort()
    stop.abort()


def first_failure(group: BaseExceptionGroup[RunError]) -> RunError:
    """The first of several errors that came at once."""
    error = group.exceptions[0]
    return first_failure(error) if isinstance(error, BaseExceptionGroup) else error
