"""Settle: rows reach their end here. One task commits them in groups and alone writes the output and the ledgers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import anyio

from personastream.core import ranges
from personastream.core.dead_letter import dead_letter, encodable
from personastream.core.frame_log import LogKind
from personastream.core.ledger import Ledger, LengthEstimate
from personastream.core.outcomes import Outcomes, Usage
from personastream.core.ranges import Range
from personastream.engine.statistics import Statistics
from personastream.engine.stop import Stop
from personastream.errors import DiskFull, DiskStillFull, TooManyDead
from personastream.ports import Chunk, Offload, ShardState, Sink, Watch
from personastream.records import Batch, DeadRow, Row, Shard

DROPS_MAX = 1 << 20
"""Dropped rows held in memory before the feed waits for a commit."""
GROUPS_HELD_MAX = 8
"""Groups' worth of bytes held in memory before workers wait for a commit, however few rows they are."""
DISK_FULL_WAIT_S_MAX = 30.0
DEAD_ROWS_TRIED_MIN = 200
"""`dead_share_max` is judged from this many asked or unreadable rows on."""


@dataclass(slots=True)
class GroupCommit:
    """When to commit: at half of `rows_max` rows, at `bytes_max` bytes, or after `interval_s` seconds."""

    rows_max: int
    bytes_max: int
    interval_s: float


@dataclass(slots=True)
class Pending:
    """What waits to be committed for one shard."""

    lines: list[bytes] = field(default_factory=list)
    delivered: list[int] = field(default_factory=list)
    dropped: dict[str, list[Range]] = field(default_factory=dict)
    dead_lines: list[bytes] = field(default_factory=list)
    dead: dict[str, list[int]] = field(default_factory=dict)


class Settle:
    """Gathers outcomes and commits them. `full` asks feed and workers to hold back until a commit is through."""

    def __init__(
        self,
        sink: Sink,
        shards: Sequence[Shard],
        states: Sequence[ShardState],
        group: GroupCommit,
        dead_share_max: float,
        statistics: Statistics,
        stop: Stop,
        offload: Offload,
        watch: Watch | None = None,
    ) -> None:
        self._sink = sink
        self._shards = shards
        self._group = group
        self._dead_share_max = dead_share_max
        self._statistics = statistics
        self._stop = stop
        self._offload = offload
        self._watch = watch
        self._ledgers = [Ledger(state.settled) for state in states]
        self._rows: list[int | None] = [state.rows for state in states]
        self._finished = [state.finished for state in states]
        self._first_unfinished = 0
        self._pending: dict[int, Pending] = {}
        self._pending_bytes = 0
        self._pending_drops = 0
        self._usage_committed = Usage()
        self._wake = anyio.Event()
        self._room = anyio.Event()
        self._closing = False
        self._read_to_end = {shard for shard, state in enumerate(states) if state.rows is not None and state.revived}
        self._tried = self._died = 0
        self._length = LengthEstimate(sum(shard.size_bytes for shard in shards))
        for shard, state in zip(shards, states, strict=True):
            if state.rows is not None:
                self._length.finished(state.rows, shard.size_bytes)

    # What feed and workers say, on the event loop.

    @property
    def full(self) -> bool:
        """Whether as many rows wait for a commit as may be asked again after a crash, or as memory should hold."""
        return (
            self._statistics.uncommitted >= self._group.rows_max
            or self._pending_bytes >= GROUPS_HELD_MAX * self._group.bytes_max
            or self._pending_drops >= DROPS_MAX
        )

    async def wait_room(self) -> None:
        """Return once the group is no longer full."""
        while self.full:
            await self._room.wait()

    def delivered(self, row: Row, lines: Sequence[bytes]) -> None:
        """The row has its records, encoded."""
        pending = self._of(row.shard)
        pending.delivered.append(row.number)
        pending.lines.extend(lines)
        self._asked(sum(map(len, lines)))

    def screened(self, row: Row, reason: str) -> None:
        """A screen drops the row, for which something may have been asked."""
        self._of(row.shard).dropped.setdefault(reason, []).append((row.number, row.number + 1))
        self._asked(0)

    def dead(self, shard: int, row: DeadRow, *, asked: bool = True) -> None:
        """The row cannot be delivered; it becomes a dead letter. `asked` is false for one that could not be read."""
        pending, row = self._of(shard), encodable(row)
        line = dead_letter(self._shards[shard].stem, row, asked=asked)
        pending.dead.setdefault(row.reason, []).append(row.number)
        pending.dead_lines.append(line)
        self._died += 1
        self._asked(len(line))

    def thinned(self, batch: Batch) -> None:
        """A batch has been read: take its dropped and unreadable rows and, at a shard's end, its length."""
        shard = batch.shard.index
        self._statistics.rows_read += batch.stop - batch.start
        for reason, numbers in batch.dropped.items():
            self._of(shard).dropped.setdefault(reason, []).extend(ranges.from_numbers(numbers))
            self._pending_drops += len(numbers)
        for row in batch.dead:
            self.dead(shard, row, asked=False)
        if batch.last and not self._finished[shard]:
            self._rows[shard] = batch.stop
            self._read_to_end.add(shard)
            self._length.finished(batch.stop, batch.shard.size_bytes)
            self._statistics.rows_estimated = self._length.rows()
        elif self._rows[shard] is None:
            self._statistics.rows_estimated = self._length.rows(batch.stop, batch.bytes_read)
        else:  # revived rows of a shard whose length is known
            self._statistics.rows_estimated = self._length.rows()
        if self._pending_drops >= DROPS_MAX:
            self._wake.set()

    @property
    def finished(self) -> bool:
        """Whether every shard is sealed. Checks the conservation law: read = delivered + dropped + dead."""
        committed = self._statistics.committed.settled
        if committed != sum(map(len, self._ledgers)):
            raise AssertionError(f"{committed} outcomes for {sum(map(len, self._ledgers))} settled rows")
        return all(self._finished)

    def close(self) -> None:
        """No more outcomes will come: commit what is here, then end `run`."""
        self._closing = True
        self._wake.set()

    # The committing task.

    async def run(self) -> None:
        """Commit in groups until closed. Raises `StorageFailed`; drains the run if too many rows die."""
        self._advance()
        closing = False
        while not closing:
            with anyio.move_on_after(self._group.interval_s):
                await self._wake.wait()
            self._wake = anyio.Event()
            closing = self._closing
            await self._commit_all()
            self._check_dead_share()

    async def _commit_all(self) -> None:
        pending, self._pending = self._pending, {}
        self._pending_bytes = self._pending_drops = 0
        done = self._statistics.uncommitted
        for shard in sorted(pending):
            for chunk in self._chunks(shard, pending[shard]):
                await self._commit(chunk)
        self._statistics.uncommitted -= done
        if self._closing:
            await self._commit_usage()
        for shard in sorted(self._read_to_end):
            rows = self._rows[shard]
            if rows is not None and self._ledgers[shard].covers(rows):
                await self._until_written(lambda shard=shard, rows=rows: self._sink.finish(shard, rows))  # type: ignore[misc]
                self._finished[shard] = True
                self._read_to_end.discard(shard)
        self._advance()
        self._room.set()
        self._room = anyio.Event()

    async def _commit_usage(self) -> None:
        """What was spent on rows that meet no end in this sitting is spent all the same."""
        spent, shard = self._statistics.usage - self._usage_committed, self._first_unfinished
        if spent != Usage() and shard < len(self._finished):
            self._usage_committed = self._statistics.usage
            chunk = Chunk(shard, "data", (), Outcomes(), spent)
            await self._commit(chunk)

    def _chunks(self, shard: int, pending: Pending) -> list[Chunk]:
        dropped = {reason: ranges.union_all([rows]) for reason, rows in pending.dropped.items()}
        dead = {reason: ranges.from_numbers(numbers) for reason, numbers in pending.dead.items()}
        data = Outcomes(delivered=ranges.from_numbers(pending.delivered), dropped=dropped)
        logs: list[tuple[LogKind, list[bytes], Outcomes]] = [
            ("data", pending.lines, data),
            ("dead", pending.dead_lines, Outcomes(dead=dead)),
        ]
        chunks = []
        for kind, lines, outcomes in logs:
            if outcomes.settled():
                spent = self._statistics.usage
                chunks.append(Chunk(shard, kind, lines, outcomes, spent - self._usage_committed))
                self._usage_committed = spent
        return chunks

    async def _until_written(self, write: Callable[[], None]) -> None:
        """A full disk holds everything up until there is room again; finished rows stay in memory."""
        wait_s = 1.0
        while True:
            try:
                await self._offload(write)
            except DiskFull as error:
                self._statistics.paused = error.message
                if self._stop.aborting:
                    raise DiskStillFull(error.message, hint="Make room, then run again with --resume.") from error
                with anyio.move_on_after(wait_s):
                    await self._stop.wait_abort()
                wait_s = min(DISK_FULL_WAIT_S_MAX, wait_s * 2)
            else:
                self._statistics.paused = ""
                return

    async def _commit(self, chunk: Chunk) -> None:
        statistics, began_s = self._statistics, anyio.current_time()
        await self._until_written(lambda: self._sink.commit(chunk))
        statistics.last_commit_s = anyio.current_time()
        statistics.commit_s.observe(statistics.last_commit_s - began_s)
        self._ledgers[chunk.shard].settle(chunk.outcomes.settled())
        statistics.committed += chunk.outcomes.counts()
        statistics.committed_usage += chunk.usage
        statistics.commits += 1
        statistics.output_bytes += sum(map(len, chunk.lines)) + len(chunk.lines)
        if (watch := self._watch) is not None:
            await self._offload(lambda: watch.committed(chunk))
            self._statistics.alert = watch.alert
            if (problem := watch.problem()) is not None:
                self._stop.fail(problem)

    def _advance(self) -> None:
        while self._first_unfinished < len(self._finished) and self._finished[self._first_unfinished]:
            self._first_unfinished += 1
        self._statistics.shards_finished = sum(self._finished)

    def _check_dead_share(self) -> None:
        if self._tried >= DEAD_ROWS_TRIED_MIN and self._died > self._dead_share_max * self._tried:
            error = TooManyDead(
                f"{self._died} of {self._tried} rows ended in the dead letters, "
                f"most of them as {_commonest(self._statistics.committed.dead)}",
                hint="See the reasons with `personastream status` and the rows in dead/; "
                "`[limits] dead_share_max` sets the share that is accepted.",
            )
            self._stop.fail(error)

    def _of(self, shard: int) -> Pending:
        pending = self._pending.get(shard)
        if pending is None:
            pending = self._pending[shard] = Pending()
        return pending

    def _asked(self, size_bytes: int) -> None:
        self._tried += 1
        self._statistics.uncommitted += 1
        self._pending_bytes += size_bytes
        if self._pending_bytes >= self._group.bytes_max or self._statistics.uncommitted * 2 >= self._group.rows_max:
            self._wake.set()


def _commonest(reasons: Mapping[str, int]) -> str:
    return max(reasons, key=reasons.__getitem__)
