"""One open part of a log: append commits, seal. The only place where output bytes are written."""

from array import array
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain

import zstandard

from personastream.core import frame_log, ranges
from personastream.core.frame_log import PartName, PartRows, Summary
from personastream.core.outcomes import Counts, Outcomes, Usage
from personastream.core.ranges import Range, Ranges
from personastream.errors import CorruptOutput, DiskFull, StorageFailed
from personastream.sinks.disk import Disk, LogFile, Snapshot

OPEN_SUFFIX = ".part"
LOOSE_RANGES_MAX = 1024
"""Ranges of settled rows that are kept as they came, besides as many as there are for good."""


class Part:
    """An unsealed part. Its file ends, after every return from a method, with its last commit.

    The file is opened for each commit, so that thousands of shards may be under way at once.
    """

    def __init__(self, disk: Disk, directory: str, name: PartName) -> None:
        self.name = name
        self.bytes = 0
        self.counts = Counts()
        self.usage = Usage()
        self._disk = disk
        self._directory = directory
        self._path = f"{directory}/{file_name(name)}{OPEN_SUFFIX}"
        self._digest = frame_log.NO_TRAILER
        self._commits = 0
        self._lines = 0
        self._purged = 0
        self._pieces = array("Q")  # by twos: thousands of commits may come before the seal
        self._revived: Ranges = ()
        self._settled: list[Range] = []
        self._joined = 0

    def create(self) -> None:
        """Start the file. Its name is durable on return, so that no commit can be in a file that is lost."""
        self._disk.create(self._path).close()
        self._disk.sync_directory(self._directory)

    def recover(self, *, repair: bool) -> Summary | None:
        """Take up the file after a stop of any kind: make what is there durable, read its commits, cut a torn tail.

        Returns the summary if the part was sealed but not renamed yet; that is then done. Without `repair` the file
        is only read. Raises `CorruptOutput` if a valid commit follows a damaged one: that is no crash's doing.
        """
        with closing(self._disk.open(self._path) if repair else open_to_read(self._disk, self._path)) as file:
            if repair:  # never build on what only the page cache knows: unsynced writes, or pages that a sync has lost
                file.sync()
                file.drop_cache()
            snapshot = Snapshot(file)
            summary = frame_log.read_seal(snapshot.read_at, snapshot.size, self.name)
            if summary is not None and frame_log.read_rows(snapshot.read_at, snapshot.size, self.name) is not None:
                if repair:
                    finish_rename(self._disk, self._directory, self.name)
                return summary
            for commit in frame_log.commits(snapshot.read_at, self.name):
                self._purged += len(commit.purged)
                self._count(commit.end, commit.digest, commit.lines, commit.pieces, commit.outcomes, commit.usage)
            if snapshot.size > self.bytes:
                self._check_tail(snapshot)
                if repair:
                    file.truncate(self.bytes)
                    file.sync()
            return None

    @property
    def rows(self) -> PartRows:
        """All rows that this part takes back, with its first commit, and settles."""
        self._join()
        return PartRows(self._revived, self._settled.copy())

    @property
    def pieces(self) -> list[tuple[int, int]]:
        """(bytes, raw bytes) of all frames so far."""
        return list(zip(self._pieces[::2], self._pieces[1::2], strict=True))

    def commit(
        self, lines: Sequence[bytes], outcomes: Outcomes, usage: Usage, compressor: zstandard.ZstdCompressor
    ) -> None:
        """Append one commit: one write, one sync. On return its rows are settled for ever.

        Raises `DiskFull` with the file cut back to its last commit, or `StorageFailed`.
        """
        data, digest, pieces = frame_log.encode_commit(
            self.name, self._commits, self._digest, lines, outcomes, usage, compressor
        )
        with self._open() as file:
            file.append(data)
            file.sync()
        self._count(self.bytes + len(data), digest, len(lines), pieces, outcomes, usage)
        if len(self._settled) > 2 * self._joined + LOOSE_RANGES_MAX:  # rows do not settle in order, but without gaps
            self._join()

    def seal(self, shard_rows: int | None) -> Summary:
        """End the part: summary, seek table, final name. It never changes again. Raises like `commit`."""
        summary = Summary(self._commits, self._lines, self.counts, self.usage, shard_rows, self._purged)
        with self._open() as file:
            file.append(frame_log.encode_seal(self.name, summary, self.rows, self.pieces))
            file.sync()
            finish_rename(self._disk, self._directory, self.name)
        return summary

    def _join(self) -> None:
        self._settled = ranges.union_all((self._settled,))
        self._joined = len(self._settled)

    @contextmanager
    def _open(self) -> Iterator[LogFile]:
        """The file, to be appended to; it is cut back to its last commit if the disk runs full meanwhile."""
        with closing(self._disk.open(self._path)) as file:
            if file.size() != self.bytes:
                raise CorruptOutput(
                    f"{self._path} has {file.size()} bytes, not {self.bytes}: something else has written to it",
                    hint="Let only one process use the run directory, then run again with --resume.",
                )
            try:
                yield file
            except DiskFull:
                file.truncate(self.bytes)
                file.sync()
                raise

    def _check_tail(self, snapshot: Snapshot) -> None:
        beyond = frame_log.commit_after(snapshot.read_at, snapshot.size, self.bytes, self.name)
        if beyond is not None:
            raise CorruptOutput(
                f"{self._path}: its commits end at byte {self.bytes}, but a valid one stands at byte {beyond.offset}",
                hint="Nothing was changed. Restore the file from a copy, or keep it and start a new run.",
            )

    def _count(
        self,
        end: int,
        digest: bytes,
        lines: int,
        pieces: Sequence[tuple[int, int]],
        outcomes: Outcomes,
        usage: Usage,
    ) -> None:
        self.bytes = end
        self._digest = digest
        self._commits += 1
        self._lines += lines
        self._pieces.extend(chain.from_iterable(pieces))
        self.counts += outcomes.counts()
        self.usage += usage
        self._settled += outcomes.settled()
        if outcomes.revived:
            self._revived = outcomes.taken_back()


def file_name(name: PartName) -> str:
    """The sealed file's name, without directory."""
    return f"{name.shard}-{name.part:05d}.jsonl.zst"


def finish_rename(disk: Disk, directory: str, name: PartName) -> None:
    """Give a sealed part its final name, durably."""
    final = f"{directory}/{file_name(name)}"
    disk.rename(final + OPEN_SUFFIX, final)
    disk.sync_directory(directory)


def open_to_read(disk: Disk, path: str) -> LogFile:
    """A part, given as it was listed: the process that works on the run may have sealed and renamed it since then."""
    try:
        return disk.open(path, writable=False)
    except StorageFailed:
        if not path.endswith(OPEN_SUFFIX):
            raise
        return disk.open(path.removesuffix(OPEN_SUFFIX), writable=False)
