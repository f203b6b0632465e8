"""`report.json`: what a dedup job dropped, and why. It follows from the rows alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from personastream.build import adapter_name
from personastream.core.outcomes import Counts
from personastream.errors import CannotCreate, CorruptOutput
from personastream.launch.dedup_input import DedupInput
from personastream.launch.dedup_pairs import Pair
from personastream.launch.dedup_watch import Groups, Sample, Watched, histogram
from personastream.launch.durable_file import replace_durably
from personastream.records import Row

NAME = "report.json"
TEXT_CHARACTERS_MAX = 2_000


def write_report(
    directory: Path, counts: Counts, watched: Sequence[Watched], found: Sequence[Sequence[Pair]], given: DedupInput
) -> None:
    """Write it durably. Raises `CannotCreate`."""
    document = {
        "rows": {"kept": counts.delivered, "dropped": dict(counts.dropped), "dead": dict(counts.dead)},
        **_known(watched),
        "transforms": [_told(*each, given) for each in zip(watched, found, strict=True)],
    }
    path = directory / NAME
    try:
        replace_durably(path, orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    except OSError as error:
        raise CannotCreate(f"cannot write {path}: {error.strerror}") from error


def read_report(directory: Path) -> dict[str, Any]:
    """What `write_report` wrote. Raises `CorruptOutput`."""
    path = directory / NAME
    try:
        document: dict[str, Any] = orjson.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CorruptOutput(f"cannot read {path}: {error}") from error
    return document


def _known(watched: Sequence[Watched]) -> dict[str, Any]:
    counts = sum(watched[0].known.values(), Counts()) if watched else Counts()
    return {"known": {"read": counts.delivered, "dead": dict(counts.dead)}} if counts.settled else {}


def _told(watched: Watched, found: Sequence[Pair], given: DedupInput) -> dict[str, Any]:
    transform = watched.transform
    told: dict[str, Any] = {
        "type": adapter_name(transform),
        "index_bytes": getattr(transform, "index_bytes", 0),
        "given_up": getattr(transform, "given_up", 0),
    }
    if watched.groups is not None:
        told["groups"] = _groups(watched.groups)
    told["pairs"] = [
        {"dropped": _row(pair.dropped, given), "copy_of": _row(pair.copy_of, given) if pair.copy_of else None}
        for pair in found
    ]
    return told


def _groups(groups: Groups) -> dict[str, Any]:
    """A key that was dropped n times is a group of n + 1 rows: one was kept, or known beforehand."""
    sizes = [dropped + 1 for dropped in groups.sizes.values()]
    return {
        "of": "rows with the same normal form, told apart by 64-bit hashes",
        "share_counted": groups.share,
        "counted": len(sizes),
        "largest": max(sizes, default=0),
        "sizes": histogram(sizes),
    }


def _row(row: Sample | Row, given: DedupInput) -> dict[str, Any]:
    shard = given.shards()[row.shard]
    known = {"known_from": shard.path} if row.shard < given.known else {}
    return {"id": f"{shard.stem}:{row.number}", "text": row.text[:TEXT_CHARACTERS_MAX], **known}
