"""What a run has delivered, read from its own commits: sealed parts and open ones, in the order of the commits."""

from collections.abc import Iterator
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


def dead_of(directory: Path) -> dict[str, int]:
    """How many rows of a run are dead, by reason."""
    manifest = manifest_of(directory)
    sink = Frames(path=str(directory))
    sink.attach(manifest.run_id, [shard.stem for shard in manifest.shards])
    counts = sum((state.counts for state in sink.recover(repair=False)), Counts())
    return {reason: rows for reason, rows in counts.dead.items() if rows}


def _lines(frame: bytes, path: Path) -> Iterator[dict[str, Any]]:
    try:
        raw = zstandard.ZstdDecompressor().decompress(frame)
        for line in raw.split(b"\n"):
            if line:
                yield orjson.loads(line)
    except (zstandard.ZstdError, orjson.JSONDecodeError) as error:
        raise CorruptOutput(f"{path} is damaged: {error}", hint="`personastream verify` lists all damage.") from error
