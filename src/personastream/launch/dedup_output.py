"""What a dedup job writes: commits that follow from the rows alone, so that a killed job leaves the same ones.

A commit holds so many batches of one shard from where the last one ended, fewer at the end of the shard only. Rows
behind the last commit of a sitting are thinned again by the next one.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from personastream.core import ranges
from personastream.core.dead_letter import dead_letter, encodable
from personastream.core.lines import Lines
from personastream.core.outcomes import Outcomes, Usage
from personastream.core.packed_ranges import PackedRanges
from personastream.core.ranges import Ranges
from personastream.engine.statistics import Statistics
from personastream.engine.stop import Stop
from personastream.errors import DiskFull, DiskStillFull
from personastream.packed import Places, as_array
from personastream.ports import Chunk, Sink
from personastream.records import Batch, Shard

COMMIT_BATCHES = 8
DISK_FULL_LOOK_S = 1.0


@dataclass(slots=True)
class Group:
    """Outcomes of consecutive batches of one shard."""

    lines: list[Lines] = field(default_factory=list)
    delivered: list[Places] = field(default_factory=list)
    dropped: dict[str, list[Places]] = field(default_factory=dict)
    dead: dict[str, list[int]] = field(default_factory=dict)
    letters: list[bytes] = field(default_factory=list)
    rows: int = 0
    batches: int = 0

    def add(self, batch: Batch, stem: str, *, with_lines: bool) -> None:
        """Take a batch."""
        numbers = as_array(batch.numbers)
        self.delivered.append(numbers)
        if with_lines:
            lines = batch.lines if isinstance(batch.lines, Lines) else Lines.of(batch.lines)
            kept = np.zeros(len(lines), np.bool_)
            kept[numbers - batch.start] = True
            self.lines.append(lines.only(kept.tobytes()))
        for reason, dropped in batch.dropped.items():
            self.dropped.setdefault(reason, []).append(as_array(dropped))
        for row in map(encodable, batch.dead):
            self.dead.setdefault(row.reason, []).append(row.number)
            self.letters.append(dead_letter(stem, row, asked=False))
        self.rows += len(numbers)
        self.batches += 1

    def chunks(self, shard: int) -> list[Chunk]:
        """What is to be committed: dead letters, then the rows that are kept and dropped."""
        dead = {reason: ranges.from_numbers(numbers) for reason, numbers in self.dead.items()}
        dropped = {reason: _ranges(numbers) for reason, numbers in self.dropped.items()}
        data = Outcomes(delivered=_ranges(self.delivered), dropped=dropped)
        lines = cast(Sequence[bytes], _Pieces(self.lines))
        chunks = [
            Chunk(shard, "dead", self.letters, Outcomes(dead=dead), Usage()),
            Chunk(shard, "data", lines, data, Usage()),
        ]
        return [chunk for chunk in chunks if chunk.outcomes.delivered or chunk.outcomes.dropped or chunk.outcomes.dead]


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Lines that are joined only once: see `frame_log.Joined`."""

    parts: Sequence[Lines]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def joined(self) -> bytes:
        return b"".join([part.joined() for part in self.parts])


def _ranges(parts: Sequence[Places]) -> Ranges:
    """The ranges that hold the numbers of all parts, ascending each. Raises `Overlap` for a number given twice."""
    return PackedRanges.of(np.sort(np.concatenate(parts), kind="stable"))


@dataclass(slots=True)
class DedupOutput:
    """Gathers batches and commits them in a thread of its own, one commit at a time, while the next is gathered.

    `lines` tells whether rows are written, or only which of them are kept. `before_seal` is called once all rows of
    a shard are committed. Use as a context manager; leaving it waits for the last commit.
    """

    sink: Sink
    statistics: Statistics
    stop: Stop
    lines: bool
    before_seal: Callable[[Shard, int], None]
    _group: Group = field(init=False, default_factory=Group)
    _thread: ThreadPoolExecutor = field(init=False, default_factory=lambda: ThreadPoolExecutor(1, "commit"))
    _under_way: "Future[None] | None" = field(init=False, default=None)

    def __enter__(self) -> "DedupOutput":
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def take(self, batch: Batch, shard: Shard) -> None:
        """Take the next batch of a shard of the output. Raises `StorageFailed` or `DiskStillFull`."""
        group = self._group
        group.add(batch, shard.stem, with_lines=self.lines)
        self.statistics.uncommitted += len(batch.numbers)
        if batch.last or group.batches == COMMIT_BATCHES:
            self._group = Group()
            self._submit(lambda: self._commit(shard.index, group))
        if batch.last:
            self._submit(lambda: self._seal(shard, batch.stop))

    def wait(self) -> None:
        """Return once all that was submitted is committed. Raises `StorageFailed` or `DiskStillFull`."""
        if self._under_way is not None:
            self._under_way.result()

    def _submit(self, work: Callable[[], None]) -> None:
        self.wait()
        self._under_way = self._thread.submit(work)

    def _commit(self, shard: int, group: Group) -> None:
        for chunk in group.chunks(shard):
            self._until_written(lambda chunk=chunk: self.sink.commit(chunk))  # type: ignore[misc]
            self.statistics.committed += chunk.outcomes.counts()
            self.statistics.commits += 1
        self.statistics.uncommitted -= group.rows

    def _seal(self, shard: Shard, rows: int) -> None:
        self.before_seal(shard, rows)
        self._until_written(lambda: self.sink.finish(shard.index, rows))
        self.statistics.shards_finished += 1

    def _until_written(self, write: Callable[[], None]) -> None:
        """A full disk holds everything up until there is room again, or the job is to stop."""
        while True:
            try:
                write()
            except DiskFull as error:
                self.statistics.paused = error.message
                if self.stop.draining:
                    raise DiskStillFull(error.message, hint="Make room, then run again with --resume.") from error
                time.sleep(DISK_FULL_LOOK_S)
            else:
                self.statistics.paused = ""
                return
