"""A run directory written by the real sink and manifest, row by row as a test wants it: no model is asked."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import orjson

from personastream.core import ranges
from personastream.core.dead_letter import dead_letter
from personastream.core.outcomes import Outcomes, Usage
from personastream.launch.manifest import Manifest, write_manifest
from personastream.ports import Chunk
from personastream.records import DeadRow, Shard
from personastream.sinks.frames import Frames

Row = Mapping[str, Any] | Sequence[Mapping[str, Any]] | str | DeadRow
"""How a row ends: with a record, or several, without ids; dropped for a reason; or dead."""

T = TypeVar("T")
RUN_ID = "0f" * 16


def record(
    output: str, given: str = "A baker", *, created: str = "2026-01-01T00:00:00Z", **meta: Any
) -> dict[str, Any]:
    """A record such as `generate` writes."""
    usage = {"input_tokens": 10, "output_tokens": 5}
    told = {"template": "math@1", "model": "m", "finish_reason": "stop", "usage": usage, "created": created, **meta}
    return {
        "input persona": given,
        "synthesized text": output,
        "description": "math problem",
        "synthetic": True,
        "meta": told,
    }


def write_run(
    directory: Path, rows: Mapping[str, Sequence[Row]], *, commit_rows: int = 10, finished: bool = True, path: str = ""
) -> Path:
    """A run in which these rows of these shards, by stem, have ended so; each delivered one was a request of cost 1."""
    shards = [Shard(index, stem, path or f"/in/{stem}.jsonl", 1, stem) for index, stem in enumerate(rows)]
    directory.mkdir(parents=True)
    identity = {"recipe.template": "math@1", "output": "records"}
    write_manifest(directory, Manifest(RUN_ID, "2026-01-01T00:00:00+00:00", "0", "/c/job.toml", identity, shards))
    sink = Frames(path=str(directory), part_bytes_max=1 << 16)
    sink.attach(RUN_ID, list(rows))
    sink.recover()
    for shard in shards:
        ends = rows[shard.stem]
        for start in range(0, len(ends), commit_rows):
            for chunk in _chunks(shard, dict(enumerate(ends[start : start + commit_rows], start))):
                sink.commit(chunk)
        if finished:
            sink.finish(shard.index, len(ends))
    return directory


def _chunks(shard: Shard, ends: Mapping[int, Row]) -> list[Chunk]:
    lines: list[bytes] = []
    delivered: list[int] = []
    dropped: dict[str, list[int]] = {}
    dead: dict[str, list[int]] = {}
    letters: list[bytes] = []
    for number, end in ends.items():
        if isinstance(end, str):
            dropped.setdefault(end, []).append(number)
        elif isinstance(end, DeadRow):
            dead.setdefault(end.reason, []).append(number)
            letters.append(dead_letter(shard.stem, end._replace(number=number), asked=True))
        else:
            several = [end] if isinstance(end, Mapping) else list(end)
            ids = [f"{shard.stem}:{number}{f'#{k}' if len(several) > 1 else ''}" for k in range(len(several))]
            lines += [orjson.dumps({"id": name, **each}) for name, each in zip(ids, several, strict=True)]
            delivered.append(number)
    usage = Usage(len(delivered), 10 * len(delivered), 5 * len(delivered), 0, 10**9 * len(delivered))
    drops = {reason: ranges.from_numbers(numbers) for reason, numbers in dropped.items()}
    deaths = {reason: ranges.from_numbers(numbers) for reason, numbers in dead.items()}
    chunks = [Chunk(shard.index, "data", lines, Outcomes(ranges.from_numbers(delivered), drops), usage)]
    if letters:
        chunks.append(Chunk(shard.index, "dead", letters, Outcomes(dead=deaths), Usage()))
    return chunks


def unwatched(members: Sequence[T], words: str) -> Sequence[T]:
    """Nobody looks how far a report has come."""
    return members
