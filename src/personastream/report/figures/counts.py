"""Where the rows went: exact, from the ends of the parts."""

from dataclasses import asdict
from typing import Any

from personastream.core.outcomes import Counts
from personastream.core.spend import NANOS
from personastream.report.figures.statistics import shares
from personastream.report.logs import Logs
from personastream.report.sampling import Sample

REASONS_MAX = 12
EXAMPLES_MAX = 2
EXAMPLE_CHARACTERS_MAX = 300


def counts_figures(logs: Logs) -> dict[str, Any]:
    """Rows by end, records, what all of it cost, and the files that hold it."""
    counts, usage = logs.counts, logs.usage
    asked = counts.delivered + counts.dead_total
    return {
        "rows": {
            "settled": counts.settled,
            "delivered": counts.delivered,
            "dropped": counts.dropped_total,
            "dead": counts.dead_total,
        },
        "records": logs.data.lines,
        "usage": {**asdict(usage), "spend": usage.spend_nanos / NANOS},
        "requests_per_asked_row": usage.requests / asked if asked else None,
        "shards": {"total": logs.shards, "finished": logs.shards_finished},
        "files": {"parts": logs.data.parts + logs.dead.parts, "bytes": logs.data.bytes + logs.dead.bytes},
    }


def reasons_figures(counts: Counts, sample: Sample) -> dict[str, Any]:
    """Drops and deaths by reason, each with a few examples out of the sample."""
    dropped = shares({reason: rows for reason, rows in counts.dropped.items() if rows > 0}, REASONS_MAX)
    for entry in dropped:
        entry["examples"] = sample.drops.get(entry["name"], [])
    dead = shares({reason: rows for reason, rows in counts.dead.items() if rows > 0}, REASONS_MAX)
    for entry in dead:
        letters = [letter for letter in sample.letters if letter.reason == entry["name"]]
        entry["examples"] = [
            {
                "id": letter.id,
                "detail": letter.detail[:EXAMPLE_CHARACTERS_MAX],
                "text": letter.text[:EXAMPLE_CHARACTERS_MAX],
            }
            for letter in letters[:: max(1, len(letters) // EXAMPLES_MAX)][:EXAMPLES_MAX]
        ]
    return {"dropped": dropped, "dead": dead}
