"""What records say of mathematics, in figures and in lines: agreement in the math loop, accuracy in an evaluation."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from personastream.core.accuracy import accuracy_figures
from personastream.core.math_figures import math_figures
from personastream.launch.run_records import dead_of, manifest_of, records_of

_FIGURES = {"solve": math_figures, "grade": accuracy_figures}


def figures_of(directory: Path) -> dict[str, Any] | None:
    """The figures of a run of `solve` or `grade`, read from all its records; None for other recipes."""
    count = _FIGURES.get(str(manifest_of(directory).identity.get("recipe.type")))
    return None if count is None else count(records_of(directory), dead_of(directory))


def figure_lines(figures: Mapping[str, Any]) -> list[str]:
    """Either kind of figures, for people."""
    return _accuracy_lines(figures) if "accuracy" in figures else _loop_lines(figures)


def _loop_lines(figures: Mapping[str, Any]) -> list[str]:
    dead = sum(figures["dead"].values())
    lines = [
        f"problems  {figures['problems']:>12,}  = {figures['train']:,} train + {figures['held_out']:,} held out "
        f"+ {dead:,} dead"
    ]
    if figures["held_out"]:
        lines.append(
            f"held out  {figures['held_out']:>12,}  = {figures['agreed']:,} agreed ({figures['agreed_share']:.1%}) "
            f"+ {figures['not_agreed']:,} not"
        )
    lines += [f"          {number:>12,}  {many} agree" for many, number in figures["agreements"].items()]
    for method, counts in figures["methods"].items():
        lines.append(
            f"solutions {counts['asked']:>12,}  by {method.replace('_', ' ')}: {counts['answered']:,} with an answer; "
            f"of {counts['compared']:,} compared with others, {counts['agreeing']:,} agree"
        )
        lines += [f"          {number:>12,}  {problem}" for problem, number in sorted(counts["problems"].items())]
    if figures["judged"]:
        lines.append(f"judged    {figures['judged']:>12,}  pairs of answers, by a model")
    return lines


def _accuracy_lines(figures: Mapping[str, Any]) -> list[str]:
    lines = [f"dead      {rows:>8,}  {reason}: not counted" for reason, rows in figures["dead"].items()]
    if not figures["problems"]:
        return ["accuracy  no problem has been answered yet", *lines]
    lines.insert(
        0,
        f"accuracy  {figures['accuracy']:>8.1%}  {figures['right']:,} of {figures['problems']:,} right; "
        f"95 % between {figures['low']:.1%} and {figures['high']:.1%}",
    )
    if figures["unanswered"]:
        lines.insert(1, f"          {figures['unanswered']:>8,}  replies gave no answer, and count as wrong")
    for column, values in figures["by"].items():
        width = max(map(len, values))
        lines += [
            f"{column if not place else '':<9.9} {share['accuracy']:>8.1%}  {value:<{width}}  "
            f"{share['right']:,} of {share['problems']:,}, {share['low']:.0%} to {share['high']:.0%}"
            for place, (value, share) in enumerate(values.items())
        ]
    return lines
