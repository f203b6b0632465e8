"""The parts of one log of one shard, one after another: recover, commit, roll, finish."""

import re
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import zstandard

from personastream.core import frame_log
from personastream.core.frame_log import LogKind, PartName, Summary
from personastream.core.outcomes import Counts, Usage
from personastream.core.ranges import Ranges
from personastream.errors import CorruptOutput
from personastream.ports import Chunk
from personastream.sinks.disk import Disk
from personastream.sinks.part import OPEN_SUFFIX, Part, file_name, finish_rename

_FILE_NAME = re.compile(r"(?P<stem>.+)-(?P<part>\d{5})\.jsonl\.zst(?P<open>\.part)?", re.DOTALL)


@dataclass(slots=True)
class Series:
    """One log. `sealed` holds the summaries of its sealed parts, in order; `part` is the open one, if any."""

    disk: Disk
    run_id: str
    shard: str
    kind: LogKind
    sealed: list[Summary] = field(default_factory=list)
    part: Part | None = None

    @property
    def shard_rows(self) -> int | None:
        """The shard's length if this log is finished, else None."""
        return self.sealed[-1].shard_rows if self.sealed else None

    @property
    def counts(self) -> Counts:
        """How all rows of this log ended."""
        parts = [*(summary.counts for summary in self.sealed), *([self.part.counts] if self.part else ())]
        return sum(parts, Counts())

    @property
    def usage(self) -> Usage:
        """What all of this log cost."""
        parts = [*(summary.usage for summary in self.sealed), *([self.part.usage] if self.part else ())]
        return sum(parts, Usage())

    def settled(self) -> Iterable[Ranges]:
        """The rows settled in each part. Reads the sealed parts' ends; needed only while the shard is unfinished."""
        for number in range(len(self.sealed)):
            name = self._name(number)
            path = f"{self.kind}/{file_name(name)}"
            with closing(self.disk.open(path, writable=False)) as file:
                settled = frame_log.read_settled(file.read_at, file.size(), name)
            if settled is None:
                raise _not_sealed(path)
            yield settled
        if self.part is not None:
            yield self.part.settled

    def recover(self, files: Sequence[tuple[int, bool]], *, repair: bool) -> None:
        """Take up the parts on disk, given as (number, whether open) in ascending order. Raises `CorruptOutput`.

        Without `repair` nothing is changed: for looking at a run that may be under way.
        """
        for place, (number, is_open) in enumerate(files):
            name = self._name(number)
            path = f"{self.kind}/{file_name(name)}"
            if number != place or self.part is not None or self.shard_rows is not None:
                raise CorruptOutput(
                    f"{path}: unexpected part; parts before it are missing, open or already final",
                    hint="Restore the missing files from a copy, or start a new run.",
                )
            with closing(self.disk.open(path + OPEN_SUFFIX if is_open else path, writable=repair and is_open)) as file:
                summary = frame_log.read_seal(file.read_at, file.size(), name)
                if summary is not None and is_open and repair:  # killed between seal and rename
                    file.sync()
                    finish_rename(self.disk, self.kind, name)
            if summary is not None:
                self.sealed.append(summary)
            elif is_open:
                self.part = Part(self.disk, self.kind, name)
                self.part.recover(repair=repair)
            else:
                raise _not_sealed(path)

    def commit(self, chunk: Chunk, part_bytes_max: int, compressor: zstandard.ZstdCompressor) -> None:
        """Append one commit, in a new part if the open one has reached `part_bytes_max`."""
        if self.part is not None and self.part.bytes >= part_bytes_max:
            self._seal(self.part, None)
        if self.part is None:
            part = Part(self.disk, self.kind, self._name(len(self.sealed)))
            part.create()
            self.part = part
        self.part.commit(chunk.lines, chunk.outcomes, chunk.usage, compressor)

    def finish(self, shard_rows: int) -> None:
        """Seal the open part as the log's last one."""
        if self.part is not None:
            self._seal(self.part, shard_rows)

    def _seal(self, part: Part, shard_rows: int | None) -> None:
        summary = part.seal(shard_rows)
        self.sealed.append(summary)
        self.part = None

    def _name(self, number: int) -> PartName:
        return PartName(self.run_id, self.shard, self.kind, number)


def parse_file_name(name: str) -> tuple[str, int, bool] | None:
    """(shard stem, part number, whether open) of a log file's name, or None for any other file."""
    match = _FILE_NAME.fullmatch(name)
    return match and (match["stem"], int(match["part"]), match["open"] is not None)


def _not_sealed(path: str) -> CorruptOutput:
    return CorruptOutput(
        f"{path} has its final name but no valid end: it was changed or cut after it was sealed",
        hint="Restore it from a copy, or start a new run; `personastream verify` lists all damage.",
    )
