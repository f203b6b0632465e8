"""A source without the rows that were purged: whatever is read again, they do not come back.

Left out are rows that were purged themselves, and rows not settled yet whose whole text is that of a purged one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from personastream.core.purging import REASON, Doomed
from personastream.launch.arrivals import shards_of
from personastream.launch.purge_apply import root_of
from personastream.launch.purge_journal import Journal, read_journal
from personastream.ports import Source
from personastream.records import Batch, Shard
from personastream.sinks.disk import OsDisk

_NONE = Doomed(frozenset())


@dataclass
class WithoutPurged:
    """The rows of `source` for the run in `directory`. What was purged is looked up at the first read."""

    source: Source
    directory: Path

    def shards(self) -> Sequence[Shard]:
        return shards_of(self.source, self.directory)

    def read(self, shard: Shard, start: int) -> Iterator[Batch]:
        journal, stage = self._journal
        if journal is None:
            yield from self.source.read(shard, start)
            return
        doomed = journal.doomed.get(stage, {}).get(shard.stem, _NONE)
        for batch in self.source.read(shard, start):
            yield _without(batch, doomed, journal)

    @cached_property
    def _journal(self) -> tuple[Journal | None, str]:
        root, stage = root_of(self.directory)
        return read_journal(OsDisk(str(root))), stage


def _without(batch: Batch, doomed: Doomed, journal: Journal) -> Batch:
    def is_gone(number: int, text: str) -> bool:
        return number in doomed.whole or journal.digest(text) in journal.texts

    batch = batch.keep([not is_gone(*row) for row in zip(batch.numbers, batch.texts, strict=True)], REASON)
    gone = [row.number for row in batch.dead if is_gone(row.number, row.text)]
    if not gone:
        return batch
    left = [row for row in batch.dead if row.number not in frozenset(gone)]
    return replace(batch, dead=left, dropped={**batch.dropped, REASON: sorted([*batch.dropped.get(REASON, ()), *gone])})
