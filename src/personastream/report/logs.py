"""What the logs of a run hold and where, told from the ends of their parts: O(parts), and the whole of open ones only.

Counts are exact. Frames are listed by the seek tables, so that some of them can be read without the others.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import zstandard

from personastream.core import frame_log, ranges
from personastream.core.frame_log import Commit, LogKind, PartName, PartRows
from personastream.core.outcomes import Counts, Usage
from personastream.core.ranges import Ranges
from personastream.errors import CorruptOutput
from personastream.launch.manifest import Manifest
from personastream.sinks.disk import LogFile, OsDisk, Snapshot
from personastream.sinks.frames import KINDS, Frames
from personastream.sinks.part import OPEN_SUFFIX, file_name, open_to_read
from personastream.sinks.series import parse_file_name


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a commit with lines lies."""

    part: PartName
    offset: int


@dataclass(frozen=True, slots=True)
class FrameRead:
    """A commit as it was read back, with its lines."""

    part: PartName
    commit: Commit
    lines: list[bytes]


@dataclass(slots=True)
class Log:
    """All parts of one kind, of all shards together."""

    lines: int = 0
    parts: int = 0
    bytes: int = 0
    frames: list[Frame] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Logs:
    """What a run has written so far."""

    directory: Path
    counts: Counts
    usage: Usage
    finished: bool
    shards: int
    shards_finished: int
    data: Log
    dead: Log
    gone: dict[str, Ranges]
    """Rows of the dead letters, by shard, that are not dead any more: revived since."""

    def read(self, frames: Iterable[Frame]) -> Iterator[FrameRead]:
        """These frames, in order. Raises `CorruptOutput`."""
        disk = OsDisk(str(self.directory))
        at, file = None, None
        try:
            for frame in frames:
                if at != frame.part:
                    if file is not None:
                        file.close()
                    at, file = frame.part, open_to_read(disk, _path(frame.part, is_open=True))
                assert file is not None
                yield _read(file, frame)
        finally:
            if file is not None:
                file.close()


def read_logs(directory: Path, manifest: Manifest) -> Logs:
    """Look at a run, which may be under way; nothing is changed. Raises `CorruptOutput`."""
    sink = Frames(path=str(directory))
    sink.attach(manifest.run_id, [shard.stem for shard in manifest.shards])
    states = sink.recover(repair=False)
    logs = {kind: Log() for kind in KINDS}
    dead_rows: dict[str, list[PartRows]] = {}
    disk = OsDisk(str(directory))
    for kind in KINDS:
        for name, is_open in _parts(disk, manifest, kind):
            rows = _take_in(disk, name, is_open, logs[kind])
            if kind == "dead":
                dead_rows.setdefault(name.shard, []).append(rows)
    return Logs(
        directory=directory,
        counts=sum((state.counts for state in states), Counts()),
        usage=sum((state.usage for state in states), Usage()),
        finished=all(state.finished for state in states),
        shards=len(states),
        shards_finished=sum(state.finished for state in states),
        data=logs["data"],
        dead=logs["dead"],
        gone={shard: gone for shard, parts in dead_rows.items() if (gone := _not_dead_any_more(parts))},
    )


def _parts(disk: OsDisk, manifest: Manifest, kind: LogKind) -> list[tuple[PartName, bool]]:
    """All parts in source order, each with whether it is open."""
    place = {shard.stem: shard.index for shard in manifest.shards}
    found = [parsed for parsed in map(parse_file_name, disk.names(kind)) if parsed and parsed[0] in place]
    found.sort(key=lambda parsed: (place[parsed[0]], parsed[1]))
    return [(PartName(manifest.run_id, stem, kind, number), is_open) for stem, number, is_open in found]


def _take_in(disk: OsDisk, name: PartName, is_open: bool, log: Log) -> PartRows:
    """Add a part to its log; returns what it does to the log's rows."""
    with closing(open_to_read(disk, _path(name, is_open))) as file:
        snapshot = Snapshot(file)
        log.parts += 1
        log.bytes += snapshot.size
        summary = frame_log.read_seal(snapshot.read_at, snapshot.size, name)
        rows = frame_log.read_rows(snapshot.read_at, snapshot.size, name) if summary else None
        if summary is not None and rows is not None:
            log.lines += summary.lines
            log.frames += _frames_of(name, frame_log.read_pieces(snapshot.read_at, snapshot.size))
            return rows
        return _take_in_commits(name, frame_log.commits(snapshot.read_at, name), log)


def _take_in_commits(name: PartName, commits: Iterator[Commit], log: Log) -> PartRows:
    revived: Ranges = ()
    settled: list[Ranges] = []
    for commit in commits:
        log.lines += commit.lines
        if commit.lines:
            log.frames.append(Frame(name, commit.offset))
        revived = commit.outcomes.taken_back() or revived
        settled.append(commit.outcomes.settled())
    return PartRows(revived, ranges.union_all(settled))


def _frames_of(name: PartName, pieces: Sequence[tuple[int, int]]) -> Iterator[Frame]:
    offset = 0
    for compressed_bytes, raw_bytes in pieces:
        if raw_bytes:
            yield Frame(name, offset)
        offset += compressed_bytes


def _not_dead_any_more(parts: Sequence[PartRows]) -> Ranges:
    """Rows that died and were revived, and have not died again."""
    if not any(part.revived for part in parts):
        return ()
    ever: list[tuple[int, int]] = []
    for part in parts:
        ever = ranges.union_all((ranges.without(ever, part.settled), part.settled))
    return ranges.without(ever, frame_log.replay((), parts).died)


def _read(file: LogFile, frame: Frame) -> FrameRead:
    commit = frame_log.read_commit(file.read_at, frame.offset, frame.part)
    if commit is None:
        raise CorruptOutput(
            f"{_path(frame.part, is_open=False)}: the commit at byte {frame.offset} is damaged",
            hint="`personastream verify` lists all damage.",
        )
    raw = zstandard.ZstdDecompressor().decompress(file.read_at(commit.offset, commit.pieces[0][0]))
    return FrameRead(frame.part, commit, raw.split(b"\n")[:-1])


def _path(name: PartName, is_open: bool) -> str:
    return f"{name.kind}/{file_name(name)}{OPEN_SUFFIX if is_open else ''}"
