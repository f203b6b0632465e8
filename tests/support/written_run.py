"""Run directories as a run would leave them, with rows committed in an order of the test's choice."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from personastream.core import ranges
from personastream.core.outcomes import Outcomes, Usage
from personastream.launch.manifest import Manifest, write_manifest
from personastream.ports import Chunk
from personastream.records import Shard
from personastream.sinks.frames import Frames

RUN_ID = "0123456789abcdef"
Records = Sequence[Mapping[str, object]]


def write_run(
    folder: Path, shards: Mapping[str, Mapping[int, Records]], commits: Sequence[tuple[str, Sequence[int]]] = ()
) -> Path:
    """A finished run: for each shard, the records of its rows; rows without any were dropped.

    `commits` names the rows of the first commits; all others follow in one commit a shard.
    """
    names = list(shards)
    manifest = Manifest(RUN_ID, "2026-01-01T00:00:00+00:00", "0", "job.toml", {}, [_shard(at) for at in names])
    folder.mkdir(parents=True)
    write_manifest(folder, manifest)
    sink = Frames(path=str(folder))
    sink.attach(RUN_ID, names)
    sink.recover()
    for name, rows in shards.items():
        groups = [list(group) for shard, group in commits if shard == name]
        for group in [*groups, [row for row in rows if row not in {row for group in groups for row in group}]]:
            _commit(sink, names.index(name), name, {row: rows[row] for row in group})
        sink.finish(names.index(name), max(rows, default=-1) + 1)
    return folder


def _commit(sink: Frames, shard: int, stem: str, rows: Mapping[int, Records]) -> None:
    lines: list[bytes] = []
    delivered: list[int] = []
    dropped: list[int] = []
    for row, records in rows.items():
        for k, record in enumerate(records):
            identity = f"{stem}:{row}" if len(records) == 1 else f"{stem}:{row}#{k}"
            lines.append(orjson.dumps({"id": identity, **record}))
        (delivered if records else dropped).append(row)
    outcomes = Outcomes(ranges.from_numbers(sorted(delivered)), {"dedup": ranges.from_numbers(sorted(dropped))})
    sink.commit(Chunk(shard, "data", lines, outcomes, Usage()))


def _shard(stem: str) -> Shard:
    return Shard(0, stem, f"{stem}.jsonl", 1, "f")
