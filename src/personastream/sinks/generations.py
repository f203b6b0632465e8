"""Parts of a log written anew, without records that are to be forgotten, and put in place of the old ones.

A new generation is written beside the old one, under the same name with `.purging` behind it; it counts for nothing
until somebody has decided, durably, that it shall. From then on each file replaces the old one in one step, however
often that is begun. Before that, what is there is swept away.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import zstandard

from personastream.core import frame_log, ranges
from personastream.core.frame_log import Commit, PartName, PartRows, Summary
from personastream.core.outcomes import Counts, Outcomes, Usage
from personastream.core.purging import Doomed, Rewritten, places_of, rewritten, rewritten_letters
from personastream.core.ranges import Ranges
from personastream.errors import CorruptOutput
from personastream.sinks.disk import Disk, LogFile, Snapshot

SUFFIX = ".purging"


@dataclass(slots=True)
class Generation:
    """A part that is written anew: `path` is where it lies. Lines of a `plain` one carry no ids.

    `fingerprint` tells what readers know the old part by, given its path. `final`, of dead letters, are the rows that
    each commit left dead for good, by its number.
    """

    disk: Disk
    path: str
    name: PartName
    doomed: Doomed
    fingerprint: Callable[[str], str]
    plain: bool = False
    final: Sequence[Ranges] = ()
    _digest: bytes = field(init=False, default=frame_log.NO_TRAILER)
    _lines: int = field(init=False, default=0)
    _purged: int = field(init=False, default=0)
    _counts: Counts = field(init=False, default_factory=Counts)
    _usage: Usage = field(init=False, default_factory=Usage)
    _revived: Ranges = field(init=False, default=())
    _settled: list[Ranges] = field(init=False, default_factory=list)
    _pieces: list[tuple[int, int]] = field(init=False, default_factory=list)

    def write(self) -> bool:
        """Write the new part, durably but for its name; whether there was anything to do. Raises `CorruptOutput`."""
        with closing(self.disk.open(self.path, writable=False)) as file:
            snapshot = Snapshot(file)
            summary = frame_log.read_seal(snapshot.read_at, snapshot.size, self.name)
            if not self._is_touched(snapshot, summary):
                return False
            with closing(self.disk.create(self.path + SUFFIX)) as new:
                compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)
                count = 0
                for commit, lines in _commits(snapshot, self.path, self.name):
                    self._commit(new, commit, lines, compressor)
                    count += 1
                if summary is not None:
                    if summary.commits != count:
                        raise _damaged(self.path)
                    self._seal(new, summary, summary.stands_for or self.fingerprint(self.path))
                new.sync()
            return True

    def _is_touched(self, snapshot: Snapshot, summary: Summary | None) -> bool:
        """Whether a row that this part settles, or once held a record of, is to lose anything."""
        if summary is not None:
            rows = frame_log.read_rows(snapshot.read_at, snapshot.size, self.name)
            if rows is not None and not ranges.common(rows.settled, self.doomed.rows):
                return False
        return any(self._without(commit, lines) for commit, lines in _commits(snapshot, self.path, self.name))

    def _commit(self, new: LogFile, commit: Commit, lines: list[bytes], compressor: zstandard.ZstdCompressor) -> None:
        kept = self._without(commit, lines) or Rewritten(lines, commit.outcomes, commit.purged)
        data, self._digest, pieces = frame_log.encode_commit(
            self.name,
            commit.sequence,
            self._digest,
            kept.lines,
            kept.outcomes,
            commit.usage,
            compressor,
            kept.purged,
        )
        new.append(data)
        self._lines += len(kept.lines)
        self._purged += len(kept.purged)
        self._pieces.extend(pieces)
        self._count(kept.outcomes, commit.usage)

    def _without(self, commit: Commit, lines: list[bytes]) -> Rewritten | None:
        """The commit without what is doomed, or None if it holds nothing of that."""
        if not ranges.common(commit.outcomes.settled(), self.doomed.rows):
            return None
        if self.name.kind == "dead":
            final = self.final[commit.sequence] if self.final else ()
            return rewritten_letters(commit, lines, places_of(lines, (), plain=False), self.doomed, final)
        places = places_of(lines, commit.outcomes.delivered, plain=self.plain)
        return rewritten(commit, lines, places, self.doomed)

    def _count(self, outcomes: Outcomes, usage: Usage) -> None:
        self._counts += outcomes.counts()
        self._usage += usage
        self._settled.append(outcomes.settled())
        self._revived = outcomes.taken_back() or self._revived

    def _seal(self, new: LogFile, old: Summary, stands_for: str) -> None:
        commits = len(self._settled)
        summary = Summary(commits, self._lines, self._counts, self._usage, old.shard_rows, self._purged, stands_for)
        rows = PartRows(self._revived, ranges.union_all(self._settled))
        new.append(frame_log.encode_seal(self.name, summary, rows, self._pieces))


def final_deaths(disk: Disk, parts: Sequence[tuple[str, PartName]]) -> list[list[Ranges]]:
    """For each part of a log of dead letters, for each of its commits: the rows that died there and are dead still."""
    deaths: list[list[Ranges]] = []
    for path, name in parts:
        deaths.append([])
        with closing(disk.open(path, writable=False)) as file:
            for commit in frame_log.commits(Snapshot(file).read_at, name):
                if revived := commit.outcomes.taken_back():
                    deaths = [[ranges.without(rows, revived) for rows in part] for part in deaths]
                deaths[-1].append(ranges.union_all(commit.outcomes.dead.values()))
    return deaths


def swap(disk: Disk, paths: Iterable[str]) -> None:
    """Put new generations in the place of the old ones, as far as that is not done yet. Durable on return."""
    directories = set()
    for path in paths:
        directory, _, base = path.rpartition("/")
        directories.add(directory)
        if base + SUFFIX in disk.names(directory):
            disk.replace(path + SUFFIX, path)
    for directory in sorted(directories):
        if disk.names(directory):  # a stage that somebody has moved away since is none of ours any more
            disk.sync_directory(directory)


def sweep(disk: Disk, directories: Iterable[str]) -> None:
    """Remove new generations that nobody has decided for."""
    for directory in directories:
        names = frozenset(disk.names(directory))
        for name in sorted(names):
            if name.endswith(SUFFIX) and name.removesuffix(SUFFIX) in names:
                disk.remove(f"{directory}/{name}" if directory else name)


def commits_of(disk: Disk, path: str, name: PartName) -> Iterator[tuple[Commit, list[bytes]]]:
    """All commits of a part with their lines. Raises `CorruptOutput`."""
    with closing(disk.open(path, writable=False)) as file:
        yield from _commits(Snapshot(file), path, name)


def _commits(snapshot: Snapshot, path: str, name: PartName) -> Iterator[tuple[Commit, list[bytes]]]:
    for commit in frame_log.commits(snapshot.read_at, name):
        try:
            raw = zstandard.ZstdDecompressor().decompress(snapshot.read_at(commit.offset, commit.pieces[0][0]))
        except zstandard.ZstdError as error:
            raise _damaged(path) from error
        yield commit, raw.split(b"\n")[:-1]


def _damaged(path: str) -> CorruptOutput:
    return CorruptOutput(f"{path} is damaged: nothing was purged", hint="`personastream verify` lists all damage.")
