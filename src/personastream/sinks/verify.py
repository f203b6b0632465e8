"""Reads a run's output back, byte by byte, and says whether it is what it claims to be.

Checked: every hash and zstd checksum; that trailers chain; that the ids in each frame are the rows its trailer
settles; that no row has two ends; that sealed summaries and seek tables agree with the commits; that finished shards
are complete (read = delivered + dropped + dead).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

import orjson
import zstandard

from personastream.core import frame_log, ranges, zstd_format
from personastream.core.frame_log import Commit, LogKind, PartName, PartRows, ReadAt, Summary
from personastream.core.outcomes import Counts, Usage
from personastream.core.purging import Doomed, places_of
from personastream.core.ranges import Range, Ranges
from personastream.sinks.disk import Disk, LogFile, Snapshot
from personastream.sinks.frames import KINDS
from personastream.sinks.part import OPEN_SUFFIX, file_name, open_to_read
from personastream.sinks.series import parse_file_name

Records = Literal["records", "rows", "plan"]
"""What the data log holds for a delivered row: records that name it, the row as it was read, or nothing."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that should not be: where, and what."""

    path: str
    what: str


@dataclass(slots=True)
class Report:
    """What was read and what was wrong. `notes` are harmless: a torn tail that the next start will cut."""

    parts: int = 0
    commits: int = 0
    lines: int = 0
    bytes: int = 0
    counts: Counts = field(default_factory=Counts)
    usage: Usage = field(default_factory=Usage)
    shards_finished: int = 0
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)


class Verifier:
    """Verifies one run directory, shard by shard."""

    def __init__(
        self, disk: Disk, run_id: str, records: Records = "records", purged: Mapping[str, Doomed] = MappingProxyType({})
    ) -> None:
        self.report = Report()
        self._records = records
        self._purged = purged
        self._disk = disk
        self._run_id = run_id
        self._files = {kind: self._listing(kind) for kind in KINDS}

    def shard(self, stem: str) -> None:
        """Read everything of one shard."""
        settled: dict[LogKind, list[PartRows]] = {kind: [] for kind in KINDS}
        counts, rows = Counts(), None
        for kind in KINDS:
            final = None
            for place, (number, is_open) in enumerate(self._files[kind].pop(stem, [])):
                name = PartName(self._run_id, stem, kind, number)
                path = f"{kind}/{file_name(name)}{OPEN_SUFFIX if is_open else ''}"
                if number != place:
                    self._problem(path, "unexpected part number: parts before it are missing")
                with closing(open_to_read(self._disk, path)) as file:
                    part = self._part(path, name, file, is_open)
                settled[kind].append(part.rows)
                counts += part.counts
                final = None if is_open else part.shard_rows  # it may have been sealed since it was listed
            if kind == "data":
                rows = final
        self._whole_shard(stem, settled, counts, rows)

    def finish(self) -> Report:
        """Files that belong to no shard, then the report."""
        for kind in KINDS:
            for stem in self._files[kind]:
                self._problem(f"{kind}/{stem}-*", "belongs to no shard of this run")
        return self.report

    def _part(self, path: str, name: PartName, file: LogFile, is_open: bool) -> "PartTotals":
        totals = PartTotals()
        file.drop_cache()
        snapshot = Snapshot(file)
        self.report.parts += 1
        self.report.bytes += snapshot.size
        for commit in frame_log.commits(snapshot.read_at, name):
            totals.add(commit)
            for what in self._frame_problems(snapshot.read_at, commit, name):
                self._problem(path, f"{what} (commit {commit.sequence} at byte {commit.offset})")
        self.report.commits += totals.commits
        self.report.lines += totals.lines
        self.report.usage += totals.usage
        self._end(path, name, snapshot, is_open, totals)
        return totals

    def _frame_problems(self, read_at: ReadAt, commit: Commit, name: PartName) -> Iterator[str]:
        frame_bytes, raw_bytes = commit.pieces[0]
        try:
            raw = zstandard.ZstdDecompressor().decompress(read_at(commit.offset, frame_bytes))
        except zstandard.ZstdError as error:
            yield f"its frame does not decompress: {error}"
            return
        *lines, rest = raw.split(b"\n")
        if len(raw) != raw_bytes or rest or len(lines) != commit.lines:
            yield "its frame holds other lines than its trailer says"
        wanted = (commit.outcomes.delivered,) if name.kind == "data" else tuple(commit.outcomes.dead.values())
        expected = ranges.union_all(wanted)
        if name.kind == "dead":  # of a row that lived again, a death stays although its letter was purged
            expected = ranges.without(expected, ranges.from_numbers({row for row, _ in commit.purged}))
        yield from self._come_back(lines, commit, name)
        if name.kind == "dead" or self._records == "records":
            yield from _id_problems(lines, expected, name)
        elif len(lines) != (ranges.count(expected) if self._records == "rows" else 0):
            yield f"{ranges.count(expected)} rows are said to be here, {len(lines)} are"

    def _come_back(self, lines: Sequence[bytes], commit: Commit, name: PartName) -> Iterator[str]:
        """Records that a purge has removed and that are there all the same, as in a part of an old copy."""
        purged = self._purged.get(name.shard)
        if purged is None and not commit.purged:
            return
        plain = name.kind == "data" and self._records != "records"
        try:
            places = places_of(lines, commit.outcomes.delivered, plain=plain)
        except ValueError:  # told by others
            return
        gone = frozenset(commit.purged)
        for row, place in places[: len(lines)]:
            if (row, place) in gone or (purged is not None and (row, place) in purged):
                yield f"record {place} of row {row} was purged, and is there"

    def _end(self, path: str, name: PartName, file: Snapshot, is_open: bool, totals: "PartTotals") -> None:
        summary = frame_log.read_seal(file.read_at, file.size, name)
        if summary is None:
            if not is_open:
                self._problem(path, f"sealed, but damaged at byte {totals.end} or cut")
            elif file.size > totals.end:
                self._tail(path, name, file, totals.end)
            return
        totals.shard_rows = summary.shard_rows
        if summary != replace(totals.summary, shard_rows=summary.shard_rows, stands_for=summary.stands_for):
            self._problem(
                path, f"its summary tells of more or other commits than can be read: damage at byte {totals.end}"
            )
        elif not _is_seal_whole(file, name, totals):
            self._problem(path, f"its list of settled rows or its seek table is damaged, behind byte {totals.end}")

    def _tail(self, path: str, name: PartName, file: Snapshot, end: int) -> None:
        beyond = frame_log.commit_after(file.read_at, file.size, end, name)
        if beyond is None:
            self.report.notes.append(Problem(path, f"a torn tail of {file.size - end} bytes; the next start cuts it"))
        else:
            self._problem(path, f"damaged at byte {end}: a valid commit stands at byte {beyond.offset}")

    def _whole_shard(
        self, stem: str, parts: Mapping[LogKind, Sequence[PartRows]], counts: Counts, rows: int | None
    ) -> None:
        self.report.counts += counts
        try:
            union, _, revived = frame_log.replay(parts["data"], parts["dead"])
        except ranges.Overlap as error:
            self._problem(stem, f"row {error.number} has two outcomes")
            return
        except ranges.Missing as error:
            self._problem(stem, f"row {error.number} was revived, but never died")
            return
        if revived:
            return
        if rows is None:
            return
        self.report.shards_finished += 1
        if union != ([(0, rows)] if rows else []):
            self._problem(stem, f"{rows} rows were read, but {ranges.count(union)} have an outcome")

    def _listing(self, kind: LogKind) -> dict[str, list[tuple[int, bool]]]:
        files: dict[str, list[tuple[int, bool]]] = {}
        for name in self._disk.names(kind):
            parsed = parse_file_name(name)
            if parsed is not None:
                files.setdefault(parsed[0], []).append(parsed[1:])
            else:
                self.report.notes.append(Problem(f"{kind}/{name}", "is no part of this run; readers may take it in"))
        return files

    def _problem(self, path: str, what: str) -> None:
        self.report.problems.append(Problem(path, what))


@dataclass(slots=True)
class PartTotals:
    """What the commits of one part add up to."""

    commits: int = 0
    lines: int = 0
    end: int = 0
    counts: Counts = field(default_factory=Counts)
    usage: Usage = field(default_factory=Usage)
    revived: list[Range] = field(default_factory=list)
    settled: list[Ranges] = field(default_factory=list)
    pieces: list[tuple[int, int]] = field(default_factory=list)
    purged: int = 0
    shard_rows: int | None = None

    def add(self, commit: Commit) -> None:
        """Count one commit."""
        self.commits += 1
        self.lines += commit.lines
        self.purged += len(commit.purged)
        self.end = commit.end
        self.counts += commit.outcomes.counts()
        self.usage += commit.usage
        self.settled.append(commit.outcomes.settled())
        if commit.outcomes.revived:
            self.revived = commit.outcomes.taken_back()
        self.pieces.extend(commit.pieces)

    @property
    def summary(self) -> Summary:
        """What a sealed part should say of itself."""
        return Summary(self.commits, self.lines, self.counts, self.usage, self.shard_rows, self.purged)

    @property
    def rows(self) -> PartRows:
        """What the part does to its log's rows. Raises `Overlap`."""
        return PartRows(self.revived, ranges.union_all(self.settled))


def _is_seal_whole(file: Snapshot, name: PartName, totals: PartTotals) -> bool:
    """Whether the settled rows and the seek table of a part with a valid summary are those of its commits."""
    rows = frame_log.read_rows(file.read_at, file.size, name)
    pieces = frame_log.read_pieces(file.read_at, file.size)
    if rows != totals.rows or pieces[:-2] != totals.pieces:
        return False
    table = zstd_format.seek_table([*totals.pieces, *((compressed, 0) for compressed, _ in pieces[-2:])])
    return file.read_at(file.size - len(table), len(table)) == table


def _id_problems(lines: Sequence[bytes], expected: Ranges, name: PartName) -> Iterator[str]:
    seen: Counter[int] = Counter()
    ids = set()
    for line in lines:
        try:
            identity = orjson.loads(line)["id"]
            stem, _, number = identity.rpartition(":")
            row = int(number.partition("#")[0])
        except (ValueError, KeyError, TypeError, AttributeError):
            yield "a line has no valid id"
            return
        seen[row] += 1
        if stem != name.shard or identity in ids or not ranges.contains(expected, row):
            yield f"the record {identity!r} does not belong here"
        ids.add(identity)
    if len(seen) != ranges.count(expected):
        yield f"{ranges.count(expected)} rows are said to be here, {len(seen)} are"
