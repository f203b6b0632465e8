"""Sink `frames`: one frame log of records and one of dead letters for each shard, in a run directory."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import zstandard

from personastream.core import ranges
from personastream.core.frame_log import LogKind
from personastream.errors import CorruptOutput, DiskFull, StorageFailed
from personastream.ports import Chunk, ShardState
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
        counts = logs["data"].counts + logs["dead"].counts
        usage = logs["data"].usage + logs["dead"].usage
        shard, rows = logs["data"].shard, logs["data"].shard_rows
        if rows is not None:
            if counts.settled != rows or logs["dead"].part is not None:
                raise CorruptOutput(
                    f"shard {shard} is sealed with {rows} rows, but its parts account for {counts.settled}",
                    hint="Files are missing or foreign: restore them from a copy, or start a new run.",
                )
            return ShardState([(0, rows)] if rows else [], counts, usage, rows)
        try:
            settled = ranges.union_all(part for log in logs.values() for part in log.settled())
        except ranges.Overlap as error:
            raise CorruptOutput(
                f"row {error.number} of shard {shard} has two outcomes",
                hint="Files were copied or restored from different moments: restore one consistent copy.",
            ) from error
        return ShardState(settled, counts, usage, None)
