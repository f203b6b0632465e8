"""Whether anything was lost or doubled: every row of every job, by what lies on the disk, read with stock tools."""

import io
from collections.abc import Iterator
from pathlib import Path

import orjson
import zstandard

from tests.soak.plan import Plan
from tests.support.command import personastream


def account(plan: Plan, job: str, run: Path) -> dict[str, int]:
    """Rows of a job: how many there are, and how many were lost, doubled, delivered and dead."""
    seen = {path.name.removesuffix(".jsonl.zst"): bytearray(len(rows)) for path, rows in plan.shards(job)}
    ends = dict.fromkeys(("data", "dead"), 0)
    strange = 0
    for kind in ends:
        for line in _lines(run / kind):
            stem, _, rest = orjson.loads(line)["id"].rpartition(":")
            row = int(rest.partition("#")[0])
            ends[kind] += 1
            if stem in seen and row < len(seen[stem]):
                seen[stem][row] = min(255, seen[stem][row] + 1)
            else:
                strange += 1
    counts = b"".join(seen.values())
    return {
        "rows": len(counts),
        "lost": counts.count(0),
        "doubled": len(counts) - counts.count(0) - counts.count(1),
        "strange": strange,
        "delivered": ends["data"],
        "dead": ends["dead"],
    }


def verified(run: Path) -> bool:
    """What `personastream verify` says."""
    return personastream("verify", run).code == 0


def _lines(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.glob("*.jsonl.zst*")):
        with path.open("rb") as file:
            reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
            yield from (line for line in io.BufferedReader(reader) if line.strip())
