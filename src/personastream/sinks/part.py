"""One open part of a log: append commits, seal. The only place where output bytes are written."""

from collections.abc import Sequence
from contextlib import closing

import zstandard

from personastream.core import frame_log, ranges
from personastream.core.frame_log import PartName, Summary
from personastream.core.outcomes import Counts, Outcomes, Usage
from personastream.core.ranges import Range, Ranges
from personastream.errors import CorruptOutput, DiskFull
from personastream.sinks.disk import Disk

OPEN_SUFFIX = ".part"


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
        self._pieces: list[tuple[int, int]] = []
        self._settled: list[Ranges] = []

    def create(self) -> None:
        """Start the file. Its name is durable on return, so that no commit can be in a file that is lost."""
        self._disk.create(self._path).close()
        self._disk.sync_directory(self._directory)

    def recover(self, *, repair: bool) -> None:
        """Take up the file after a stop of any kind: make what is there durable, read its commits, cut a torn tail.

        Without `repair` the file is only read. Raises `CorruptOutput` if a valid commit follows a damaged one: that
        is no crash's doing.
        """
        with closing(self._disk.open(self._path, writable=repair)) as file:
            if repair:  # bytes of a killed process may be in the page cache only; nothing may be built on those
                file.sync()
            for commit in frame_log.commits(file.read_at, self.name):
                self._count(commit.end, commit.digest, commit.lines, commit.pieces, commit.outcomes, commit.usage)
            size = file.size()
            if size == self.bytes:
                return
            beyond = frame_log.commit_after(file.read_at, size, self.bytes + 1, self.name)
            if beyond is not None:
                raise CorruptOutput(
                    f"{self._path} is damaged at byte {self.bytes}: a valid commit follows at byte {beyond.offset}",
                    hint="Nothing was changed. Restore the file from a copy, or keep it and start a new run.",
                )
            if repair:
                file.truncate(self.bytes)
                file.sync()

    @property
    def settled(self) -> list[Range]:
        """All rows committed to this part."""
        settled = ranges.union_all(self._settled)
        self._settled = [settled]
        return settled

    def commit(
        self, lines: Sequence[bytes], outcomes: Outcomes, usage: Usage, compressor: zstandard.ZstdCompressor
    ) -> None:
        """Append one commit: one write, one sync. On return its rows are settled for ever.

        Raises `DiskFull` with the file cut back to its last commit, or `StorageFailed`.
        """
        data, digest, pieces = frame_log.encode_commit(
            self.name, self._commits, self._digest, lines, outcomes, usage, compressor
        )
        self._append(data)
        self._count(self.bytes + len(data), digest, len(lines), pieces, outcomes, usage)

    def seal(self, shard_rows: int | None) -> Summary:
        """End the part: summary, seek table, final name. It never changes again."""
        summary = Summary(self._commits, self._lines, self.counts, self.usage, shard_rows)
        self._append(frame_log.encode_seal(self.name, summary, self.settled, self._pieces))
        finish_rename(self._disk, self._directory, self.name)
        return summary

    def _append(self, data: bytes) -> None:
        with closing(self._disk.open(self._path)) as file:
            try:
                file.append(data)
            except DiskFull:
                file.truncate(self.bytes)
                file.sync()
                raise
            file.sync()

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
        self._pieces.extend(pieces)
        self.counts += outcomes.counts()
        self.usage += usage
        self._settled.append(outcomes.settled())


def file_name(name: PartName) -> str:
    """The sealed file's name, without directory."""
    return f"{name.shard}-{name.part:05d}.jsonl.zst"


def finish_rename(disk: Disk, directory: str, name: PartName) -> None:
    """Give a sealed part its final name, durably."""
    final = f"{directory}/{file_name(name)}"
    disk.rename(final + OPEN_SUFFIX, final)
    disk.sync_directory(directory)
