"""Whether the plan that a dedup job has written is what its log says."""

from collections.abc import Iterator
from pathlib import Path

from personastream.core import plan
from personastream.launch.manifest import Manifest
from personastream.sinks.verify import Problem, Report


def plan_problems(directory: Path, manifest: Manifest, report: Report) -> Iterator[Problem]:
    """What is wrong with the plan of a job whose log was read as `report` says; each finished shard has one."""
    kept = rows = found = 0
    for shard in manifest.shards:
        name = f"plan/{shard.stem}.keep"
        try:
            read = plan.decode((directory / name).read_bytes())
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            yield Problem(name, f"cannot be read: {error}")
            continue
        if read.fingerprint != shard.fingerprint:
            yield Problem(name, "is for another shard")
        found, rows, kept = found + 1, rows + len(read.kept), kept + int(read.kept.sum())
    if found < report.shards_finished:
        yield Problem("plan", f"{report.shards_finished} shards are finished, but there are plans for {found}")
    elif report.shards_finished == len(manifest.shards) and (rows, kept) != (
        report.counts.settled,
        report.counts.delivered,
    ):
        yield Problem(
            "plan",
            f"keeps {kept:,} of {rows:,} rows; the log has {report.counts.delivered:,} of {report.counts.settled:,}",
        )
