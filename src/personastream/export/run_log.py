"""The delivered records of a run, also of one that is under way: sealed parts, and what is committed of open ones.

Every frame is checked as it is read, by its hash and its zstd checksum; a log that is damaged is never read past.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import zstandard

from personastream.core import frame_log
from personastream.core.frame_log import PartName
from personastream.errors import CorruptOutput
from personastream.sinks.disk import Disk, Snapshot
from personastream.sinks.part import OPEN_SUFFIX, file_name, open_to_read
from personastream.sinks.series import parse_file_name

_HINT = "`personastream verify` lists all damage; restore the files from a copy."


@dataclass(slots=True)
class RunLog:
    """The data logs of a run's shards, in the order of shards. `bytes_read` of `bytes_all` tell how far it has come."""

    disk: Disk
    run_id: str
    stems: Sequence[str]
    bytes_read: int = field(init=False, default=0)
    bytes_all: int = field(init=False, default=0)
    is_open: bool = field(init=False, default=False)
    _parts: dict[str, list[tuple[int, bool]]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for parsed in map(parse_file_name, self.disk.names("data")):
            if parsed is not None:
                self._parts.setdefault(parsed[0], []).append(parsed[1:])
        for stem in self.stems:
            for number, _ in self._parts.get(stem, ()):
                with closing(open_to_read(self.disk, self._path(stem, number))) as file:
                    self.bytes_all += file.size()

    def lines(self) -> Iterator[Sequence[bytes]]:
        """The lines of one commit after the other, without line feeds. Raises `CorruptOutput`."""
        for stem in self.stems:
            for place, (number, is_open) in enumerate(sorted(self._parts.get(stem, ()))):
                if number != place:
                    raise CorruptOutput(f"data/{stem}-*: parts before number {number} are missing", hint=_HINT)
                yield from self._part(PartName(self.run_id, stem, "data", number), may_be_open=is_open)

    def _part(self, name: PartName, *, may_be_open: bool) -> Iterator[Sequence[bytes]]:
        path, done = self._path(name.shard, name.part), self.bytes_read
        with closing(open_to_read(self.disk, path)) as file:
            snapshot = Snapshot(file)
            commits = end = 0
            for commit in frame_log.commits(snapshot.read_at, name):
                commits, end = commits + 1, commit.end
                self.bytes_read = done + end
                yield _decompressed(path, snapshot.read_at(commit.offset, commit.pieces[0][0]))
            summary = frame_log.read_seal(snapshot.read_at, snapshot.size, name)
            self.bytes_read = done + snapshot.size
            self.is_open |= summary is None
            if summary is not None and summary.commits == commits:
                return
            is_torn = may_be_open and frame_log.commit_after(snapshot.read_at, snapshot.size, end, name) is None
            if summary is not None or not is_torn:  # an open part may end within a commit, and in no other way
                raise CorruptOutput(f"{path}: damaged at byte {end}", hint=_HINT)

    def _path(self, stem: str, number: int) -> str:
        """How a part is called while it is open; `open_to_read` finds it under either name."""
        return f"data/{file_name(PartName(self.run_id, stem, 'data', number))}{OPEN_SUFFIX}"


def _decompressed(path: str, frame: bytes) -> list[bytes]:
    try:
        return zstandard.ZstdDecompressor().decompress(frame).split(b"\n")[:-1]
    except zstandard.ZstdError as error:
        raise CorruptOutput(f"{path}: a frame does not decompress: {error}", hint=_HINT) from error
