"""Records of earlier runs, in the order of their rows: `type = "run"`, what a stage reads from another.

The order does not depend on which reply came first, on faults or on resumes, so that what is made of these rows does
not either. A shard here is one of the earlier run; its rows are that one's records, counted from 0.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from time import sleep
from typing import ClassVar

from personastream.core.lines import Line
from personastream.core.purging import GAP, REASON
from personastream.core.row_order import NumberedLine, in_row_order
from personastream.core.rows import Rows
from personastream.core.sampling import Sampling
from personastream.errors import BadInput, ConfigError
from personastream.ports import Stock
from personastream.records import Batch, Shard
from personastream.settings import setting
from personastream.sources.finished_run import MANIFEST, FinishedRun, finished_run
from personastream.sources.row_index_file import RowIndexFile, replace_file
from personastream.sources.row_settings import RowsFromFiles

LOOK_S = 0.5
SPACING_ROWS = 4096
"""Rows between points of a row index."""
LINEAGE = ("id", "meta.root", "meta.hop", "meta.origin")


@dataclass
class Run(RowsFromFiles):
    """The records of finished runs, and the rows of finished dedup jobs."""

    LICENCE_COLUMN: ClassVar[str] = "meta.licence"

    paths: list[str] = setting("Run directories.", path=True)
    keep: list[str] = setting(
        "Other columns to carry along, as dotted paths: records tell them in meta.origin.",
        default_factory=lambda: list(LINEAGE),
    )
    rows_max: int = setting("Only so large a sample that it holds about so many rows; 0: all.", default=0, minimum=0)
    wait: bool = setting(
        "Wait for shards that the earlier runs have not finished yet, instead of refusing them.",
        default=False,
        identity=False,
    )
    index_dir: str | None = setting(
        "Where row indexes are kept between runs, and what of the earlier runs was read.",
        default=None,
        identity=False,
        path=True,
    )

    _seen: tuple[tuple[object, ...], Stock] | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.paths:
            raise ConfigError("`paths` in [source] is empty", hint='Name run directories: paths = ["../runs/hop-1"].')
        if self.follow and self.rows_max:
            raise ConfigError("follow and rows_max exclude each other", hint="Say which share you want: sample = 0.1.")

    def shards(self) -> Sequence[Shard]:
        if self.follow:
            return self.arrived(())
        runs = [finished_run(path) for path in self.paths]
        if not self.wait:
            for run in runs:
                run.check_finished()
        return self._named(shard for run in runs for shard in run.shards())

    def look(self) -> Stock:
        states = tuple(_state(path) for path in self.paths)
        if self._seen is None or self._seen[0] != states:
            self._seen = states, Stock(tuple(shard.stem for shard in self.arrived(())))
        return self._seen[1]

    def arrived(self, known: Collection[str]) -> Sequence[Shard]:
        runs = [finished_run(path) for path in self.paths if Path(path, MANIFEST).exists()]
        return self._named(
            shard for run in runs for shard in run.shards() if shard.stem in known or run.is_finished(index_of(shard))
        )

    def _named(self, found: Iterable[Shard]) -> list[Shard]:
        shards = list(found)
        twice, count = Counter(shard.stem for shard in shards).most_common(1)[0] if shards else ("", 0)
        if count > 1:
            raise ConfigError(f"two runs have a shard {twice!r}", hint="Give run directories names of their own.")
        return self.licensed([replace(shard, index=index) for index, shard in enumerate(shards)])

    def says_licence_of(self, shard: Shard) -> bool:
        """Whether the earlier run declares one: its records say the same."""
        return bool(shard.licence)

    @cached_property
    def _share(self) -> float:
        share = 1.0 if self.sample is None else self.sample
        lines = sum(finished_run(path).lines_total() for path in self.paths) if self.rows_max else 0
        return min(share, self.rows_max / lines) if lines else share

    def sampled(self, stem: str, start: int, count: int) -> Sequence[bool]:
        """Which of so many rows of a shard are in the sample; nothing if all are."""
        return () if self._share == 1 else Sampling(self._share, self.sample_seed).taken(stem, start, count)

    def read(self, shard: Shard, start: int) -> Iterator[Batch]:
        run, index = finished_run(shard.path), index_of(shard)
        while self.wait and not self._is_ready(run, index):
            yield Batch(shard, start, start, (), ())  # for whoever reads to see whether to go on
            sleep(LOOK_S)
        spans, total = run.spans(index)
        self._check_same(run.seals(index), shard)
        kept = RowIndexFile(self.index_dir, shard)
        number, row = kept.index.rows.at_label(start)
        waiting: list[Line] = []
        for lines in in_row_order(spans, run.lines, row):
            _note(kept, number, lines)
            waiting += [line for _, line in lines[max(0, start - number) :]]
            number += len(lines)
            while len(waiting) > self.batch_rows:
                yield self._batch(shard, start, waiting[: self.batch_rows], total)
                start += self.batch_rows
                del waiting[: self.batch_rows]
            kept.save_now_and_then()
        kept.save()
        yield self._batch(shard, start, waiting, total, last=True)

    def _is_ready(self, run: FinishedRun, index: int) -> bool:
        """Whether a shard can be read: how large a share a sample is, only all of them together tell."""
        if not self.rows_max:
            return run.is_finished(index)
        runs = [finished_run(path) for path in self.paths]
        return all(each.is_finished(place) for each in runs for place in range(len(each.stems)))

    def _check_same(self, seals: str, shard: Shard) -> None:
        """Raises `BadInput` if there was something else in the shard when it was first read."""
        if self.index_dir is None:
            return
        path = Path(self.index_dir, f"{shard.stem}.seals")
        if path.exists() and path.read_text() != seals:
            raise BadInput(
                f"{shard.path}: shard {shard.stem} has changed since it was first read",
                hint="Dead rows were asked again there, or files were replaced: start a new run over it.",
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, seals.encode())

    def _batch(self, shard: Shard, start: int, lines: list[Line], total: int, *, last: bool = False) -> Batch:
        stop = start + len(lines)
        rows = _without_gaps(self.reader.read(lines, start, self.sampled(shard.stem, start, len(lines))), lines, start)
        bytes_read = shard.size_bytes * stop // max(1, total)
        return rows.batch(shard, (start, stop), lines=lines, last=last, bytes_read=bytes_read)


def index_of(shard: Shard) -> int:
    """Which shard of its run it is: it is named after that."""
    return int(shard.stem.rpartition(".")[2])


def _state(run: str) -> tuple[object, ...]:
    """What changes when a shard of a run in a directory is finished, or is not any more."""
    stamps: list[object] = [run]
    for name in (MANIFEST, "data", "dead"):
        with suppress(OSError):
            status = Path(run, name).stat()
            stamps.append((name, status.st_ino, status.st_mtime_ns, status.st_size))
    return tuple(stamps)


def _without_gaps(rows: Rows, lines: Sequence[Line], start: int) -> Rows:
    """The rows, without those whose records were purged before: they are not there to be read."""
    gone = [row.number for row in rows.dead if lines[row.number - start] == GAP]
    if not gone:
        return rows
    left = [row for row in rows.dead if lines[row.number - start] != GAP]
    return rows._replace(dead=left, dropped={**rows.dropped, REASON: gone})


def _note(kept: RowIndexFile, number: int, lines: Sequence[NumberedLine]) -> None:
    """Remember which record is the first of which row: at the first line here, no line of its row came before."""
    kept.index.rows.add(number, lines[0][0], SPACING_ROWS)
