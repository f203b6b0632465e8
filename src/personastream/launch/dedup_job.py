"""One dedup job in this process: rows in, those that survive out, no model. A run like any other, as far as it goes."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal, cast

import anyio
import anyio.to_thread
import numpy as np
from numpy.typing import NDArray

from personastream.core import plan
from personastream.core.ledger import LengthEstimate
from personastream.core.outcomes import Counts
from personastream.engine.feed import Reading
from personastream.engine.pool import Abandoned
from personastream.engine.statistics import Statistics
from personastream.engine.stop import Stop
from personastream.errors import CannotCreate, ConfigError, ExitCode
from personastream.launch.arrivals import grows, rows_expected
from personastream.launch.dedup_input import DedupInput
from personastream.launch.dedup_output import DedupOutput
from personastream.launch.dedup_pairs import pairs
from personastream.launch.dedup_report import write_report
from personastream.launch.dedup_watch import Watched
from personastream.launch.durable_file import replace_durably
from personastream.launch.inline import Progress, embedders
from personastream.launch.process import DEDUP_BATCH_ROWS, calm_collector, keep_freed_memory
from personastream.launch.purged_rows import WithoutPurged
from personastream.launch.run_directory import begin_or_continue, owned
from personastream.launch.signals import until_told
from personastream.launch.sittings import Ending, sitting
from personastream.launch.threads import entered
from personastream.limits import Limits
from personastream.ports import ShardState, Source, Transform
from personastream.records import Batch, Position, Shard
from personastream.sinks.checkpoints import CheckpointLog, journal_of
from personastream.sinks.frames import Frames

BATCH_ROWS = DEDUP_BATCH_ROWS


@dataclass(frozen=True, slots=True)
class DedupJob:
    """What is to be done. `against` are sources whose rows are known beforehand; nothing of them is written.

    `output` is what is written for a row that survives: the row as it was read, or nothing but that it does. `limits`
    are for transforms that ask a service.
    """

    source: Source
    transforms: Sequence[Transform]
    sink: Frames
    against: Sequence[Source] = ()
    output: Literal["rows", "plan"] = "rows"
    limits: Limits = field(default_factory=Limits)

    @property
    def directory(self) -> Path:
        """The run directory."""
        return Path(self.sink.path)


@dataclass(frozen=True, slots=True)
class DedupEnd:
    """How a sitting ended. `counts` cover the whole job, `rows` are those read in this sitting."""

    finished: bool
    counts: Counts
    rows: int
    seconds: float
    mostly_dead: bool

    @property
    def exit_code(self) -> ExitCode:
        """0 if the job is finished, 65 if most of its rows could not be read, 75 if work is left."""
        if not self.finished:
            return ExitCode.WORK_LEFT
        return ExitCode.BAD_DATA if self.mostly_dead else ExitCode.DONE


def run_dedup(job: DedupJob, *, resume: bool, progress: Progress, command: str) -> DedupEnd:
    """Carry a job to its end or to a stop, which signals ask for; `command` is what to type to continue it.

    Raises `RunError`.
    """
    keep_freed_memory()
    calm_collector(BATCH_ROWS)

    async def obeying(stop: Stop) -> DedupEnd:
        return await sit_dedup(job, resume=resume, stop=stop, statistics=Statistics(), watch=progress, command=command)

    return anyio.run(until_told, obeying, backend_options={"use_uvloop": True})


async def sit_dedup(
    job: DedupJob, *, resume: bool, stop: Stop, statistics: Statistics, watch: Progress, command: str = ""
) -> DedupEnd:
    """One sitting of a job, in a loop that may carry others; all of its work is done in a thread. Raises `RunError`."""
    started_s, failure = time.monotonic(), None
    async with entered(_prepared(job, resume=resume, command=command)) as (work, ended):
        async with anyio.create_task_group() as around:
            own = Stop()
            around.start_soon(_pass_on, stop, own, work.abandon)
            around.start_soon(watch.show, statistics, work.shards, stop)
            try:
                finished, rows = await anyio.to_thread.run_sync(work.work, statistics, own)
            except Exception as error:  # passed on below: leaving the group with it would wrap it
                failure = error
            around.cancel_scope.cancel()
        if failure is not None:
            raise failure
        counts = statistics.committed
        mostly_dead = counts.dead_total > job.limits.dead_share_max * counts.settled
        end = DedupEnd(finished, counts, rows, time.monotonic() - started_s, mostly_dead)
        ended(end.exit_code, end.counts)
    return end


async def _pass_on(stop: Stop, own: Stop, abandon: Callable[[], None]) -> None:
    """What asks the sitting to stop asks its thread, which cannot be cancelled; and so does to cancel the sitting.

    `abandon` ends the thread's waiting for vectors.
    """
    try:
        await stop.wait_drain()
        own.drain()
        abandon()
        await stop.wait_abort()
    finally:
        own.abort()
        abandon()


@contextmanager
def _prepared(job: DedupJob, *, resume: bool, command: str) -> Iterator[tuple["_Sitting", Ending]]:
    """Hold a job's directory, with all that a sitting needs. Blocks, and raises `RunError`."""
    given = DedupInput([*job.against, WithoutPurged(job.source, job.directory)])
    shards = given.own
    with owned(job.directory, "--out"), embedders(job.transforms, job.limits) as abandon:
        manifest = begin_or_continue(
            job.directory,
            job.directory,
            _identity(job, given),
            shards,
            resume=resume,
            command=command,
            grows=grows(job.source),
        )
        job.sink.attach(manifest.run_id, [shard.stem for shard in shards])
        work = _Sitting(job, given, shards, journal_of(job.sink.path, manifest.run_id), abandon)
        with sitting(job.directory, manifest.identity) as ended:
            yield work, ended


@dataclass(slots=True)
class _Sitting:
    """The work of one process, in one thread but for the commits."""

    job: DedupJob
    given: DedupInput
    shards: Sequence[Shard]
    checkpoints: CheckpointLog
    abandon: Callable[[], None]

    def work(self, statistics: Statistics, stop: Stop) -> tuple[bool, int]:
        """(whether the job is finished, rows read)."""
        sink, known = self.job.sink, self.given.known
        states = sink.recover()
        statistics.committed = sum((state.counts for state in states), Counts())
        statistics.settled_before, statistics.recovered = statistics.committed.settled, True
        statistics.shards_finished = sum(state.finished for state in states)
        watched = [Watched(transform, known) for transform in self.job.transforms]
        reading = Reading(
            source=self.given,
            transforms=watched,
            shards=self.given.shards(),
            states=self.given.states(states),
            letters=lambda shard: iter(()),
            checkpoints=self.checkpoints,
            stop=stop,
            rows_expected=rows_expected(self.job.source),
        )
        length, checked = _length(self.shards, states), False
        left = [shard.index for shard in self.shards if states[shard.index].rows is None]

        def before_seal(shard: Shard, rows: int) -> None:
            if self.job.output == "plan":
                self._write_plan(shard, rows)
            if shard.index == left[-1]:
                self.checkpoints.save(Position(known + shard.index, rows), watched)
                found = pairs(watched, self.checkpoints, self.given, self._delivered)
                write_report(self.job.directory, statistics.committed, watched, found, self.given)

        with DedupOutput(sink, statistics, stop, self.job.output == "rows", before_seal) as output:
            with suppress(Abandoned):  # a batch that waits for vectors is left for the next sitting
                for batch in reading.batches():
                    if batch.shard.index < known or states[batch.shard.index - known].rows is not None:
                        continue  # read again, for what there is to learn
                    if not checked and watched:
                        self.given.check_known(watched[0].known, self.job.limits.dead_share_max)
                        checked = True
                    _check_lines(batch)
                    shard = self.shards[batch.shard.index - known]
                    output.take(batch, shard)
                    if batch.last:
                        length.finished(batch.stop, shard.size_bytes)
                    statistics.rows_estimated = length.rows(*(() if batch.last else (batch.stop, batch.bytes_read)))
            output.wait()
        return statistics.shards_finished == len(self.shards), reading.rows_read

    def _delivered(self, shard: int, rows: int) -> NDArray[np.bool_] | None:
        """Which of the first rows of a shard of the input were delivered; all of them are committed."""
        own = shard - self.given.known
        if own < 0:
            return None
        in_order = self.job.sink.delivered(own)
        first_ones = takewhile(lambda part: next(iter(part), (0, 0))[0] < rows, in_order)
        return plan.plan_of("", rows, first_ones).kept

    def _write_plan(self, shard: Shard, rows: int) -> None:
        folder = self.job.directory / "plan"
        kept = plan.plan_of(shard.fingerprint, rows, self.job.sink.delivered(shard.index))
        try:
            folder.mkdir(exist_ok=True)
            replace_durably(folder / f"{shard.stem}.keep", plan.encode(kept))
        except OSError as error:
            raise CannotCreate(f"cannot write a plan in {folder}: {error.strerror}") from error


def _check_lines(batch: Batch) -> None:
    if len(batch.lines) != batch.stop - batch.start:
        raise ConfigError(
            f"{batch.shard.path}: this source does not hand on rows as they were read",
            hint='Only sources that fill `Batch.lines` can be deduplicated, such as type = "jsonl".',
        )


def _length(shards: Sequence[Shard], states: Sequence[ShardState]) -> LengthEstimate:
    length = LengthEstimate(sum(shard.size_bytes for shard in shards))
    for shard, state in zip(shards, states, strict=True):
        if state.rows is not None:
            length.finished(state.rows, shard.size_bytes)
    return length


def _identity(job: DedupJob, given: DedupInput) -> dict[str, Any]:
    """What must stay the same in all sittings."""
    kept: dict[str, Any] = {"output": job.output}
    parts = [("source", job.source), *((f"transform[{at}]", part) for at, part in enumerate(job.transforms))]
    for name, part in parts:
        kept[f"{name}.type"] = type(part).__name__
        for each in fields(cast(Any, part)):
            if each.init and each.metadata.get("identity", True) and not each.metadata.get("path"):
                kept[f"{name}.{each.name}"] = getattr(part, each.name)
        if name.startswith("transform") and hasattr(part, "fingerprint"):
            kept[f"{name}.fingerprint"] = part.fingerprint
    kept["against"] = [f"{shard.stem} {shard.fingerprint}" for shard in given.shards()[: given.known]]
    return kept


def in_batches(source: Source, index_dir: Path) -> Source:
    """The source with the batches of this job, whose commits depend on them, and row indexes in the run directory."""
    changes: dict[str, Any] = {"batch_rows": BATCH_ROWS} if hasattr(source, "batch_rows") else {}
    if getattr(source, "index_dir", "") is None:
        changes["index_dir"] = str(index_dir)
    return cast(Source, replace(cast(Any, source), **changes)) if changes else source
