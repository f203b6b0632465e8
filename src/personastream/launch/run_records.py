"""What a run has delivered, read from its own commits: sealed parts and open ones, in the order of the commits."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import zstandard

from personastream.core import frame_log
from personastream.core.frame_log import LogKind, PartName
from personastream.core.outcomes import Counts
from personastream.errors import BadInput, CorruptOutput
from personastream.launch.manifest import Manifest, read_manifest
from personastream.sinks.disk import OsDisk, Snapshot
from personastream.sinks.frames import Frames
from personastream.sinks.part import open_to_read
from personastream.sinks.series import parse_file_name

_DATA: LogKind = "data"


def manifest_of(directory: Path) -> Manifest:
    """The manifest of the run in a directory. Raises `BadInput` if there is none."""
    manifest = read_manifest(directory)
    if manifest is None:
        raise BadInput(f"{directory} holds no run", hint="Give the directory that [sink] path names.")
    return manifest


def records_of(directory: Path) -> Iterator[dict[str, Any]]:
    """All records that are committed. Changes nothing; safe while the run goes on. Raises `CorruptOutput`."""
    manifest, disk = manifest_of(directory), OsDisk(str(directory))
    for path in sorted((directory / _DATA).glob("*.jsonl.zst*")):
        if (parsed := parse_file_name(path.name)) is None:
            continue
        stem, number, _ = parsed
        with closing(open_to_read(disk, f"{_DATA}/{path.name}")) as file:
            snapshot = Snapshot(file)
            for commit in frame_log.commits(snapshot.read_at, PartName(manifest.run_id, stem, _DATA, number)):
                frame_bytes, _ = commit.pieces[0]
                yield from _lines(snapshot.read_at(commit.offset, frame_bytes), path)


def lines_behind(directory: Path, known: Mapping[str, int]) -> Iterator[tuple[str, Sequence[bytes] | None]]:
    """The committed lines of each shard, by its stem and commit by commit, behind the first so many that are `known`.

    None in place of lines for a shard that has fewer than that. Sealed parts among the first are not read. Raises
    `CorruptOutput`.
    """
    manifest, disk = manifest_of(directory), OsDisk(str(directory))
    for shard in manifest.shards:
        left, number = known.get(shard.stem, 0), 0
        while (path := _part_path(directory, shard.stem, number)) is not None:
            name = PartName(manifest.run_id, shard.stem, _DATA, number)
            with closing(open_to_read(disk, f"{_DATA}/{path.name}")) as file:
                snapshot = Snapshot(file)
                summary = frame_log.read_seal(snapshot.read_at, snapshot.size, name)
                if summary is not None and summary.lines <= left:
                    left -= summary.lines
                else:
                    for commit in frame_log.commits(snapshot.read_at, name):
                        if commit.lines <= left:
                            left -= commit.lines
                        else:
                            lines = _raw_lines(snapshot.read_at(commit.offset, commit.pieces[0][0]), path)
                            yield shard.stem, lines[left:]
                            left = 0
            number += 1
        if left:
            yield shard.stem, None


def _part_path(directory: Path, stem: str, number: int) -> Path | None:
    """A part under the name it has, sealed or open, if there is one."""
    sealed = directory / _DATA / f"{stem}-{number:05d}.jsonl.zst"
    return next((path for path in (sealed, sealed.with_name(f"{sealed.name}.part")) if path.exists()), None)


def dead_of(directory: Path) -> dict[str, int]:
    """How many rows of a run are dead, by reason."""
    manifest = manifest_of(directory)
    sink = Frames(path=str(directory))
    sink.attach(manifest.run_id, [shard.stem for shard in manifest.shards])
    counts = sum((state.counts for state in sink.recover(repair=False)), Counts())
    return {reason: rows for reason, rows in counts.dead.items() if rows}


def _lines(frame: bytes, path: Path) -> Iterator[dict[str, Any]]:
    try:
        yield from map(orjson.loads, _raw_lines(frame, path))
    except orjson.JSONDecodeError as error:
        raise _damaged(path, error) from error


def _raw_lines(frame: bytes, path: Path) -> list[bytes]:
    try:
        return [line for line in zstandard.ZstdDecompressor().decompress(frame).split(b"\n") if line]
    except zstandard.ZstdError as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> CorruptOutput:
    return CorruptOutput(f"{path} is damaged: {error}", hint="`personastream verify` lists all damage.")
