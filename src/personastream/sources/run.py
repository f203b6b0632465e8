"""Records of earlier runs, in the order of their rows: `type = "run"`, what a stage reads from another.

The order does not depend on which reply came first, on faults or on resumes, so that what is made of these rows does
not either. A shard here is one of the earlier run; its rows are that one's records, counted from 0.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from xxhash import xxh3_64_intdigest

from personastream.core.columns import keeper
from personastream.core.lines import Line
from personastream.core.row_order import NumberedLine, in_row_order
from personastream.core.rows import RowReader
from personastream.errors import ConfigError
from personastream.records import Batch, Origin, Shard
from personastream.settings import setting
from personastream.sources.finished_run import finished_run
from personastream.sources.row_index_file import RowIndexFile

SPACING_ROWS = 4096
"""Rows between points of a row index."""
SAMPLE = "sample"
"""Why rows are dropped that are not drawn."""
_HASHES = 1 << 64
LINEAGE = ("id", "meta.root", "meta.hop", "meta.origin")


@dataclass
class Run:
    """The records of finished runs, and the rows of finished dedup jobs."""

    paths: list[str] = setting("Run directories.", path=True)
    field: str = setting("The key that holds the text of a record.", default="persona")
    keep: list[str] = setting(
        "Other columns to carry along, as dotted paths: records tell them in meta.origin.",
        default_factory=lambda: list(LINEAGE),
    )
    rows_max: int = setting(
        "Take about so many records in all, a sample; 0 for all of them. The others are dropped.", default=0, minimum=0
    )
    seed: int = setting("Draws the sample.", default=0, minimum=0)
    batch_rows: int = setting("Rows read at a time.", default=1024, minimum=1, maximum=65_536, identity=False)
    text_bytes_max: int = setting("A longer text is a dead row.", default=1 << 20, minimum=1, maximum=1 << 30)
    index_dir: str | None = setting(
        "Where row indexes are kept between runs; nothing depends on them but speed.",
        default=None,
        identity=False,
        path=True,
    )

    def __post_init__(self) -> None:
        keeper(self.keep)
        if not self.paths:
            raise ConfigError("`paths` in [source] is empty", hint='Name run directories: paths = ["../runs/hop-1"].')

    def shards(self) -> Sequence[Shard]:
        runs = [finished_run(path) for path in self.paths]
        shards = [shard for run in runs for shard in run.shards()]
        stems = [shard.stem for shard in shards]
        if twice := next((stem for stem in stems if stems.count(stem) > 1), None):
            raise ConfigError(f"two runs have a shard {twice!r}", hint="Give run directories names of their own.")
        return [replace(shard, index=index) for index, shard in enumerate(shards)]

    @cached_property
    def _drawn_below(self) -> int:
        """Hashes below it belong to rows of the sample."""
        lines = sum(finished_run(path).lines_total() for path in self.paths) if self.rows_max else 0
        return _HASHES * min(self.rows_max, lines) // lines if lines else _HASHES

    def read(self, shard: Shard, start: int) -> Iterator[Batch]:
        run = finished_run(shard.path)
        spans, total = run.spans(int(shard.stem.rpartition(".")[2]))
        reader = RowReader(self.field, self.text_bytes_max, keeper(self.keep))
        kept = RowIndexFile(self.index_dir, shard)
        number, row = kept.index.rows.at_label(start)
        waiting: list[Line] = []
        for lines in in_row_order(spans, run.lines, row):
            _note(kept, number, lines)
            waiting += [line for _, line in lines[max(0, start - number) :]]
            number += len(lines)
            while len(waiting) > self.batch_rows:
                yield self._batch(shard, reader, start, waiting[: self.batch_rows], total)
                start += self.batch_rows
                del waiting[: self.batch_rows]
            kept.save_now_and_then()
        kept.save()
        yield self._batch(shard, reader, start, waiting, total, last=True)

    def _batch(
        self, shard: Shard, reader: RowReader, start: int, lines: list[Line], total: int, *, last: bool = False
    ) -> Batch:
        stop = start + len(lines)
        rows = reader.read(lines, start)
        batch = Batch(
            shard,
            start,
            stop,
            rows.numbers,
            rows.texts,
            dead=rows.dead,
            origins=rows.origins,
            lines=[line for line in lines if isinstance(line, bytes)],
            last=last,
            bytes_read=shard.size_bytes * stop // max(1, total),
        )
        if self._drawn_below == _HASHES:
            return batch
        return batch.keep([self._is_drawn(shard, *row) for row in zip(rows.numbers, rows.origins, strict=True)], SAMPLE)

    def _is_drawn(self, shard: Shard, number: int, origin: Origin) -> bool:
        """By the record's own id, if it is kept: what else there is before it makes no difference then."""
        identity = origin.get("id", f"{shard.stem}:{number}")
        return xxh3_64_intdigest(f"{self.seed}:sample:{identity}".encode()) < self._drawn_below


def _note(kept: RowIndexFile, number: int, lines: Sequence[NumberedLine]) -> None:
    """Remember which record is the first of which row: at the first line here, no line of its row came before."""
    kept.index.rows.add(number, lines[0][0], SPACING_ROWS)
