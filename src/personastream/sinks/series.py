"""The parts of one log of one shard, one after another: recover, commit, roll, finish."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import zstandard

from personastream.core import frame_log
from personastream.core.frame_log import Commit, LogKind, PartName, PartRows, Summary
from personastream.core.outcomes import Counts, Outcomes, Usage
from personastream.core.ranges import Ranges
from personastream.errors import CorruptOutput
from personastream.ports import Chunk
from personastream.sinks.disk import Disk, LogFile
from personastream.sinks.part import OPEN_SUFFIX, Part, file_name, open_to_read

_FILE_NAME = re.compile(r"(?P<stem>.+)-(?P<part>\d{5,})\.jsonl\.zst(?P<open>\.part)?", re.DOTALL)


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
        return self.sealed[-1].shard_rows if self.sealed and self.part is None else None

    @property
    def length_known(self) -> int | None:
        """The shard's length if this log was ever finished: since then, dead rows may have been revived."""
        return next((summary.shard_rows for summary in self.sealed if summary.shard_rows is not None), None)

    @property
    def has_revived(self) -> bool:
        """Whether any dead row was ever taken back."""
        return any(part.revived for part in self.rows())

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

    def rows(self) -> Iterable[PartRows]:
        """What each part does to the log's rows. Reads the sealed parts' ends; needed while the shard is unfinished."""
        for number in range(len(self.sealed)):
            name = self._name(number)
            path = f"{self.kind}/{file_name(name)}"
            with closing(open_to_read(self.disk, path + OPEN_SUFFIX)) as file:  # it may not be renamed yet
                rows = frame_log.read_rows(file.read_at, file.size(), name)
            if rows is None:
                raise _not_sealed(path)
            yield rows
        if self.part is not None:
            yield self.part.rows

    def lines(self) -> Iterator[bytes]:
        """All lines of this log, commit by commit, without line feeds."""
        for file, commit in self._commits():
            raw = zstandard.ZstdDecompressor().decompress(file.read_at(commit.offset, commit.pieces[0][0]))
            yield from raw.split(b"\n")[:-1]

    def outcomes(self) -> Iterator[Outcomes]:
        """How the rows of this log ended, commit by commit."""
        for _, commit in self._commits():
            yield commit.outcomes

    def _commits(self) -> Iterator[tuple[LogFile, Commit]]:
        for number in range(len(self.sealed) + (self.part is not None)):
            name = self._name(number)
            path = f"{self.kind}/{file_name(name)}{OPEN_SUFFIX}"
            with closing(open_to_read(self.disk, path)) as file:
                yield from ((file, commit) for commit in frame_log.commits(file.read_at, name))

    def recover(self, files: Sequence[tuple[int, bool]], *, repair: bool) -> None:
        """Take up the parts on disk, given as (number, whether open) in any order. Raises `CorruptOutput`.

        Without `repair` nothing is changed: for looking at a run that may be under way.
        """
        for place, (number, is_open) in enumerate(sorted(files)):
            name = self._name(number)
            path = f"{self.kind}/{file_name(name)}"
            if number != place or self.part is not None:
                raise CorruptOutput(
                    f"{path}: unexpected part; parts before it are missing or open",
                    hint="Restore the missing files from a copy, or start a new run.",
                )
            if is_open:
                part = Part(self.disk, self.kind, name)
                summary = part.recover(repair=repair)
                self.part = part if summary is None else None
            else:
                with closing(self.disk.open(path, writable=False)) as file:
                    summary = frame_log.read_seal(file.read_at, file.size(), name)
                if summary is None:
                    raise _not_sealed(path)
            if summary is not None:
                self.sealed.append(summary)

    def commit(self, chunk: Chunk, part_bytes_max: int, compressor: zstandard.ZstdCompressor) -> None:
        """Append one commit, in a new part if the open one has reached `part_bytes_max`."""
        if self.part is not None and self.part.bytes >= part_bytes_max:
            self._seal(self.part, None)
        part = self.part or self._begin()
        part.commit(chunk.lines, chunk.outcomes, chunk.usage, compressor)

    def revive(self, rows: Mapping[str, Ranges], compressor: zstandard.ZstdCompressor) -> None:
        """Take back rows that died, by reason: the first commit of a part of its own. Raises like `commit`."""
        part = self.part
        if part is not None and part.bytes:
            self._seal(part, None)
            part = None
        (part or self._begin()).commit((), Outcomes(revived=rows), Usage(), compressor)

    def finish(self, shard_rows: int, compressor: zstandard.ZstdCompressor, *, needed: bool) -> None:
        """Seal the open part as the log's last one, if there is one or one is `needed`. May be called again."""
        if self.shard_rows is not None or (self.part is None and not needed):
            return
        part = self.part or self._begin()
        if part.bytes == 0:  # stock readers want a frame of lines, if only an empty one, before skippable frames
            part.commit((), Outcomes(), Usage(), compressor)
        self._seal(part, shard_rows)

    def _begin(self) -> Part:
        part = Part(self.disk, self.kind, self._name(len(self.sealed)))
        part.create()
        self.part = part
        return part

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
