"""What `ctl` says: tables and lines of what the service answers, for people."""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from personastream.observe.rates import duration
from personastream.observe.snapshot import printable
from personastream.serve.view import OPEN, JobState, called, share_done

WHY_CHARACTERS = 60
Columns = Sequence[str]
COMMANDING = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]|\r(?!\n)"
)
"""Characters that a terminal obeys, or that turn the order of others round or hide among them."""


def table(head: Columns, rows: Iterable[Columns]) -> Iterator[str]:
    """Columns under their names."""
    lines = [head, *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
    for line in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def job_row(job: Mapping[str, Any]) -> Columns:
    """A job in the list."""
    done = share_done(job)
    share = "–" if done is None else f"{done:.0%}"
    spent = f"{job['spend']:,.4g}" if job["spend"] else "–"
    left = duration(job["eta_s"]) if job["next_try_s"] is None else f"again in {duration(job['next_try_s'])}"
    why = printable(job["why"])
    why = why if len(why) <= WHY_CHARACTERS else why[:WHY_CHARACTERS] + "…"
    return (job["name"], job["state"], share, f"{job['rows_per_s']:,.0f}", left, spent, why)


def job_lines(job: Mapping[str, Any]) -> Iterator[str]:
    """All of a job."""
    yield f"job       {job['name']}  ({job['state']}, priority {job['priority']}, weight {job['weight']:g})"
    for key in ("why", "hint"):
        if job[key]:
            yield f"{key:<10}{printable(job[key])}"
    if job["exit_code"] is not None and job["state"] != JobState.CANCELLED:
        yield f"exit code {job['exit_code']}"
    if job["next_try_s"] is not None:
        yield f"again in  {duration(job['next_try_s'])}"
    yield f"output    {job['directory']}"
    yield from aside_lines(job)
    for stage in job["stages"]:
        name = f"{stage['name']}: " if stage["name"] else ""
        yield f"rows      {name}{stage['delivered']:,} delivered ({stage['state']})"
        for kind in ("dropped", "dead"):
            for reason, rows in stage[kind].items():
                yield f"          {rows:,} {kind}: {printable(reason)}"
    yield (
        f"now       {job['in_flight']:,} in flight, {job['rows_per_s']:,.0f} rows/s, "
        f"{job['tokens_per_s']:,.0f} tokens/s, ETA {duration(job['eta_s'])}"
    )
    yield f"asked     {job['requests']:,} requests, {job['retries']:,} retries, {job['throttled']:,} throttled"
    ceiling = f" of {job['spend_max']:,.4g}" if job["spend_max"] else ""
    yield f"spent     {job['spend']:,.4g}{ceiling}"
    if job["last_fault"]:
        yield f"fault     {printable(job['last_fault'])}"


def aside_lines(job: Mapping[str, Any]) -> Iterator[str]:
    """That the output goes elsewhere than the configuration says, if it does."""
    if job["left_aside"]:
        yield f"[sink] path = {job['left_aside']!r} is left aside: the output goes to {job['directory']}"


def endpoint_row(seen: Mapping[str, Any]) -> Columns:
    """An endpoint in the list."""
    return (
        seen["id"],
        printable(seen["label"]),
        called(seen),
        f"{seen['in_flight']:,} of {seen['limit']:,} (≤ {seen['in_flight_max']:,})",
        f"{seen['requests_per_minute']:,.0f}" if seen["requests_per_minute"] else "–",
        f"{seen['tokens_per_minute']:,.0f}" if seen["tokens_per_minute"] else "–",
        f"{seen['answered']:,}",
        f"{seen['throttled']:,}",
        ", ".join(seen["jobs"]),
        one_line(printable(seen["why"])) if called(seen) != OPEN else "",
    )


def one_line(text: str) -> str:
    """The start of a text that may have many lines."""
    return " ".join(text.split())[:200]


def for_stdout(text: str) -> str:
    """As it is into a file or a pipe; on a terminal with escapes, as JSON has them, for what would command it."""
    return COMMANDING.sub(_escaped, text) if sys.stdout.isatty() else text


def _escaped(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def json_line(document: object) -> str:
    """One line of JSON."""
    return orjson.dumps(document).decode()
