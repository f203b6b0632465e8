"""Sink `frames`: one frame log of records and one of dead letters for each shard, in a run directory."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import orjson
import zstandard

from personastream.core import frame_log, ranges
from personastream.core.frame_log import LogKind, ShardRows
from personastream.core.ranges import Ranges
from personastream.errors import CorruptOutput, DiskFull, StorageFailed
from personastream.ports import Chunk, ShardState
from personastream.records import DeadLetter, DeadRow
from personastream.settings import setting
from personastream.sinks.disk import Disk, OsDisk
from personastream.sinks.series import Series, parse_file_name

KINDS: tuple[LogKind, ...] = ("data", "dead")


@dataclass
class Frames:
    """Sealed parts are `data/<shard>-00000.jsonl.zst`; dead letters go to `dead/` in the same way."""

    path: str = setting("The run directory. It is created; an existing run is continued with --resume only.", path=True)
    part_bytes_max: int = setting(
        "An output file is sealed and the next begun at this size, in bytes.",
        default=256 << 20,
        minimum=1 << 16,
        maximum=1 << 31,
        identity=False,
    )
    commit_rows_max: int = setting(
        "Rows held in memory before a commit: at most so many are asked again after a crash, besides those in flight.",
        default=4096,
        minimum=1,
        maximum=1 << 20,
        identity=False,
    )
    commit_bytes_max: int = setting(
        "A commit is made at this size of uncompressed records, in bytes.",
        default=1 << 20,
        minimum=1 << 10,
        maximum=1 << 26,
        identity=False,
    )
    commit_interval_s: float = setting(
        "A commit is made at least this often, in seconds, while rows settle.",
        default=5.0,
        minimum=0.01,
        maximum=3600.0,
        identity=False,
    )
    compression_level: int = setting("zstd level of the output.", default=3, minimum=1, maximum=19, identity=False)
    _disk: Disk = field(init=False, repr=False)
    _series: list[dict[LogKind, Series]] = field(init=False, repr=False)
    _compressor: zstandard.ZstdCompressor = field(init=False, repr=False)

    def attach(self, run_id: str, shards: Sequence[str], disk: Disk | None = None) -> None:
        """Say for which run and shards (stems in source order) to write. Comes before all else."""
        self._disk = disk or OsDisk(self.path)
        self._series = [{kind: Series(self._disk, run_id, stem, kind) for kind in KINDS} for stem in shards]
        self._compressor = zstandard.ZstdCompressor(level=self.compression_level, write_checksum=True)

    def recover(self, *, repair: bool = True) -> list[ShardState]:
        """Read what earlier sittings left: O(parts) for sealed ones; a torn tail of an open one is cut off.

        Without `repair` nothing on disk is changed.
        """
        try:
            for kind in KINDS:
                if repair:
                    self._disk.make_directory(kind)
                    self._disk.sync_directory(kind)
                self._take_up(kind, repair=repair)
            if repair:
                self._disk.sync_directory("")
        except DiskFull as error:
            raise StorageFailed(error.message, hint="Make room, then run again with --resume.") from error
        return [self._state(logs) for logs in self._series]

    def commit(self, chunk: Chunk) -> None:
        self._series[chunk.shard][chunk.kind].commit(chunk, self.part_bytes_max, self._compressor)

    def finish(self, shard: int, rows: int) -> None:
        logs = self._series[shard]
        logs["dead"].finish(rows, self._compressor, needed=False)
        logs["data"].finish(rows, self._compressor, needed=True)  # the last step: it says that the shard is finished

    def letters(self, shard: int) -> Iterator[DeadLetter]:
        logs = self._series[shard]
        _, died, revived = _replayed(logs)
        for line in logs["dead"].lines():
            letter = orjson.loads(line)
            number = int(letter.pop("id").rpartition(":")[2])
            asked = letter.pop("asked", True)
            if ranges.contains(died, number) or ranges.contains(revived, number):
                yield DeadLetter(DeadRow(number, **letter), asked)

    def delivered(self, shard: int) -> Iterator[Ranges]:
        """The rows of a shard that were delivered, commit by commit, read back from its log."""
        return (outcomes.delivered for outcomes in self._series[shard]["data"].outcomes())

    def revive(self, shard: int, rows: Mapping[str, Ranges]) -> None:
        self._series[shard]["dead"].revive(rows, self._compressor)

    def _take_up(self, kind: LogKind, *, repair: bool) -> None:
        files: dict[str, list[tuple[int, bool]]] = defaultdict(list)
        for parsed in map(parse_file_name, self._disk.names(kind)):
            if parsed is not None:
                files[parsed[0]].append(parsed[1:])
        if unknown := files.keys() - {logs[kind].shard for logs in self._series}:
            raise CorruptOutput(
                f"{kind}/ holds parts of unknown shards: {', '.join(sorted(unknown))}",
                hint="They belong to another run: move them away.",
            )
        for logs in self._series:
            logs[kind].recover(files[logs[kind].shard], repair=repair)

    def _state(self, logs: dict[LogKind, Series]) -> ShardState:
        data, dead = logs["data"], logs["dead"]
        counts, usage = data.counts + dead.counts, data.usage + dead.usage
        rows = data.shard_rows
        if rows == counts.settled and dead.part is None:
            return ShardState([(0, rows)] if rows else [], counts, usage, rows)
        settled, _, revived = _replayed(logs)
        length = data.length_known
        if length is None:
            return ShardState(settled, counts, usage, None, tuple(revived))
        if ranges.union_all((settled, revived)) != ([(0, length)] if length else []):
            raise _does_not_add_up(data.shard, length, counts.settled)
        begins_to_revive = data.shard_rows is not None and dead.part is not None and not dead.part.bytes
        if not dead.has_revived and not begins_to_revive:
            raise CorruptOutput(
                f"shard {data.shard}: unexpected part behind its last one, though no dead row was revived",
                hint="Files are foreign or from different moments: restore one consistent copy, or start a new run.",
            )
        return ShardState(settled, counts, usage, length if revived else None, tuple(revived))


def _replayed(logs: dict[LogKind, Series]) -> ShardRows:
    """What a shard's parts add up to. Raises `CorruptOutput`."""
    try:
        return frame_log.replay(logs["data"].rows(), logs["dead"].rows())
    except (ranges.Overlap, ranges.Missing) as error:
        what = "has two outcomes" if isinstance(error, ranges.Overlap) else "was revived, but never died"
        raise CorruptOutput(
            f"row {error.number} of shard {logs['data'].shard} {what}",
            hint="Files were copied or restored from different moments: restore one consistent copy.",
        ) from error


def _does_not_add_up(shard: str, rows: int, settled: int) -> CorruptOutput:
    return CorruptOutput(
        f"shard {shard} is sealed with {rows} rows, but its parts account for {settled}",
        hint="Files are missing or foreign: restore them from a copy, or start a new run.",
    )
