"""Sentences that several verbs print."""

import json
import shutil
import sys
from collections.abc import Mapping

from personastream.core.outcomes import Counts, Usage
from personastream.core.spend import shown
from personastream.launch.inline import Outcome
from personastream.observe.rates import duration


def program() -> list[str]:
    """How to call this program from the shell as it is now, in words."""
    if shutil.which("personastream"):
        return ["personastream"]
    return [sys.executable, "-m", "personastream"] if sys.argv[0].endswith("__main__.py") else [sys.argv[0]]


def json_text(document: object) -> str:
    """A document as indented JSON; what is not UTF-8 in names of files becomes `?`."""
    return json.dumps(document, indent=2, ensure_ascii=False).encode("utf-8", "replace").decode()


def counts_lines(counts: Counts) -> list[str]:
    """The conservation law in figures, with reasons."""
    lines = [
        f"rows      {counts.settled:>12,}  = {counts.delivered:,} delivered "
        f"+ {counts.dropped_total:,} dropped + {counts.dead_total:,} dead"
    ]
    lines += _reasons("dropped", counts.dropped)
    lines += _reasons("dead", counts.dead)
    return lines


def usage_line(usage: Usage) -> str:
    """Requests, tokens, and money where there are prices."""
    money = f", {shown(usage.spend_nanos)} in all" if usage.spend_nanos else ""
    return (
        f"spent     {usage.requests:>12,}  requests, {usage.input_tokens:,} input and "
        f"{usage.output_tokens:,} output tokens{money}"
    )


def summary_lines(outcome: Outcome) -> list[str]:
    """The last words of a run."""
    summary = outcome.summary
    rate = summary.spent.requests / outcome.seconds if outcome.seconds > 0 else 0.0
    return [
        *counts_lines(summary.counts),
        usage_line(summary.usage),
        f"this time {summary.spent.requests:>12,}  requests in {duration(outcome.seconds)} ({rate:,.1f} a second)",
        f"output    {outcome.directory}/data/  dead letters in {outcome.directory}/dead/",
    ]


def _reasons(end: str, reasons: Mapping[str, int]) -> list[str]:
    return [f"  {end:<8}{number:>12,}  {reason}" for reason, number in sorted(reasons.items()) if number]
