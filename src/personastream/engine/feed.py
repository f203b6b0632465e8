"""Feed: reads batches in a thread, thins them in source order, hands out rows one by one as workers ask for them.

Nothing is read ahead of the workers but one batch or two. All dedup state belongs to the reading thread, and every
decision is a function of the rows before it, so a resume that replays them comes to the same decisions.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice, repeat

import anyio

from personastream.core import ranges
from personastream.core.ledger import Ledger, LengthEstimate
from personastream.engine.pool import Abandoned
from personastream.engine.settle import Settle
from personastream.engine.statistics import Statistics
from personastream.engine.stop import Stop
from personastream.errors import RunError
from personastream.ports import Checkpoints, Offload, ShardState, Source, StatefulTransform, Transform
from personastream.records import NO_LICENCE, NO_ORIGIN, Batch, DeadLetter, DeadRow, Position, Row, Shard

CHECKPOINT_ROWS = 20_000
"""Rows between checkpoints. Each costs only what is new, some 600 kB of records, so that they may be frequent; yet
fewer rows would gain nothing: those in flight at a stop, and a batch, have to be replayed all the same."""

SAMPLE_ROWS = 1000
SAMPLE_SHARDS = 16
"""What is looked at to tell how many rows are to come."""

REVIVED_ROWS = 256
"""Rows to be asked again that are read from the dead letters at once."""


@dataclass(slots=True)
class Reading:
    """The reading thread's part: batches from the first position needed, transformed, without what is settled.

    `rows_expected` are about how many rows the whole run has; 0: its first rows and the sizes of shards tell.
    """

    source: Source
    transforms: Sequence[Transform]
    shards: Sequence[Shard]
    states: Sequence[ShardState]
    letters: Callable[[int], Iterator[DeadLetter]]
    checkpoints: Checkpoints
    stop: Stop
    rows_expected: int = 0
    rows_read: int = 0
    _rows_at_checkpoint: int = 0
    _known: list[Ledger] = field(init=False)

    def __post_init__(self) -> None:
        self._known = [Ledger(ranges.union_all((state.settled, state.revived))) for state in self.states]

    def batches(self) -> Iterator[Batch]:
        """Revived rows; then batches with unsettled rows, and the last one of each shard not read to its end."""
        for shard in self.shards:
            if self.states[shard.index].revived:
                yield from self._revived(shard)
        unread = [shard.index for shard in self.shards if self.states[shard.index].rows is None]
        if not unread:
            return
        stateful = [transform for transform in self.transforms if isinstance(transform, StatefulTransform)]
        start = self._taught(stateful, Position(unread[0], self._known[unread[0]].watermark)) if stateful else None
        for shard in self.shards[: unread[-1] + 1]:
            if start is None:
                if self.states[shard.index].rows is not None:
                    continue
                first = self._known[shard.index].watermark
            elif shard.index < start.shard:
                continue
            else:
                first = start.row if shard.index == start.shard else 0
            for batch in self.source.read(shard, first):
                thinned = self._thin(batch)
                if stateful:
                    self._checkpoint(thinned, stateful)
                if thinned.last or thinned.numbers or thinned.dropped or thinned.dead:
                    yield thinned
                if self.stop.draining:
                    return
        if stateful:  # all there is to learn, for runs that know the rows of this one beforehand
            self.checkpoints.save(Position(len(self.shards), 0), stateful)

    def _taught(self, stateful: Sequence[StatefulTransform], settled_to: Position) -> Position:
        """Bring the transforms near the first unsettled row; returns from where rows are to be replayed."""
        rows = self.rows_expected or expected_rows(self.source, self.shards)
        for transform in stateful:
            transform.expect(rows)
        return self.checkpoints.load(settled_to, stateful)

    def _revived(self, shard: Shard) -> Iterator[Batch]:
        """The rows to be asked again, from their dead letters: they were thinned when they were first asked."""
        wanted = set(chain.from_iterable(range(*rows) for rows in self.states[shard.index].revived))
        found = self._letters(shard.index, wanted)
        while rows := list(islice(found, REVIVED_ROWS)):
            numbers = [row.number for row in rows]
            texts, replies = [row.text for row in rows], [row.response for row in rows]
            origins = [row.origin for row in rows]
            licences = [row.licence or shard.licence or NO_LICENCE for row in rows]
            span = min(numbers), max(numbers) + 1
            yield Batch(shard, *span, numbers, texts, replies=replies, origins=origins, licences=licences)

    def _letters(self, shard: int, wanted: set[int]) -> Iterator[DeadRow]:
        """The first letter of each wanted row: if it has died again since, its text is the same."""
        for letter in self.letters(shard):
            if letter.row.number in wanted:
                wanted.remove(letter.row.number)
                yield letter.row

    def _thin(self, batch: Batch) -> Batch:
        self.rows_read += batch.stop - batch.start
        for transform in self.transforms:
            batch = transform(batch)
        ledger = self._known[batch.shard.index]
        if batch.start >= ledger.stop:
            return batch
        unsettled = frozenset(ledger.unsettled(batch.numbers))
        dropped = {reason: ledger.unsettled(numbers) for reason, numbers in batch.dropped.items()}
        return replace(
            batch.only([number in unsettled for number in batch.numbers]),
            dropped={reason: numbers for reason, numbers in dropped.items() if numbers},
            dead=[row for row in batch.dead if row.number not in ledger],
        )

    def _checkpoint(self, batch: Batch, stateful: Sequence[StatefulTransform]) -> None:
        if self.rows_read - self._rows_at_checkpoint >= CHECKPOINT_ROWS:
            self._rows_at_checkpoint = self.rows_read
            self.checkpoints.save(Position(batch.shard.index, batch.stop), stateful)


def expected_rows(source: Source, shards: Sequence[Shard]) -> int:
    """About how many rows all shards have, by the first ones and the sizes of files: the same at every start."""
    length = LengthEstimate(sum(shard.size_bytes for shard in shards))
    rows = 0
    for shard in [shard for shard in shards if shard.size_bytes][:SAMPLE_SHARDS]:  # others are not there yet
        for batch in source.read(shard, 0):
            if rows + batch.stop >= SAMPLE_ROWS and not batch.last:
                return length.rows(batch.stop, batch.bytes_read)
        rows += batch.stop
        length.finished(batch.stop, shard.size_bytes)
    return length.rows()


class Feed:
    """The event loop's part: rows wait here until a worker takes them."""

    def __init__(
        self,
        reading: Reading,
        settle: Settle,
        statistics: Statistics,
        stop: Stop,
        offload: Offload,
        rows_max: int | None = None,
    ) -> None:
        self._batches = reading.batches()
        self._settle = settle
        self._statistics = statistics
        self._stop = stop
        self._offload = offload
        self._rows_left = rows_max
        self._rows: deque[Row] = deque()
        self._ended = False
        self._filled = anyio.Event()
        self._wanted = anyio.Event()
        self._low_rows = 0

    async def next(self) -> Row | None:
        """The next row, once there is one and room for its outcome; None when no more are to be started."""
        while True:
            if self._settle.full:
                await self._settle.wait_room()
            if self._stop.draining or self._rows_left == 0:
                return None
            if self._rows:
                row = self._rows.popleft()
                if len(self._rows) <= self._low_rows:
                    self._wanted.set()
                self._statistics.handed_out += 1
                if self._rows_left is not None:
                    self._rows_left -= 1
                return row
            if self._ended:
                return None
            await self._filled.wait()

    async def fill(self) -> None:
        """Keep rows waiting until the source ends or the run drains. A source's error drains the run."""
        try:
            while not self._stop.draining and (batch := await self._offload(self._read)) is not None:
                await self._take(batch)
        except Abandoned:
            pass  # a drain, while a transform waited: the batch is left for the next sitting
        except RunError as error:
            self._stop.fail(error)
        finally:
            self._ended = True
            self.wake()

    def _read(self) -> Batch | None:
        return next(self._batches, None)

    async def _take(self, batch: Batch) -> None:
        ids = map(f"{batch.shard.stem}:".__add__, map(str, batch.numbers))
        replies, origins = batch.replies or repeat(""), batch.origins or repeat(NO_ORIGIN)
        licences = batch.licences or repeat(batch.shard.licence or NO_LICENCE)
        shards = repeat(batch.shard.index)
        self._rows.extend(map(Row, shards, batch.numbers, batch.texts, replies, ids, origins, licences))
        self._settle.thinned(batch)
        self._low_rows = len(batch.numbers) // 2
        self.wake()
        while len(self._rows) > self._low_rows and not self._stop.draining:
            self._wanted = anyio.Event()
            await self._wanted.wait()
        if self._settle.full:
            await self._settle.wait_room()

    def wake(self) -> None:
        """Let everyone who waits here look again: there are rows, or the run drains."""
        self._filled.set()
        self._filled = anyio.Event()
        if self._stop.draining:
            self._wanted.set()
