"""Sections about mathematics: how many problems were solved and agreed on, how many of a model's answers are right."""

from collections.abc import Mapping
from typing import Any

from personastream.report.page import words
from personastream.report.page.charts import flow, interval
from personastream.report.page.markup import Child, Markup, tag
from personastream.report.page.tables import figure, section, share_table, table

Figures = Mapping[str, Any]

PAPER_SHARE = 0.58
"""11.6K of 20,000 held-out problems (arXiv 2406.20094, section 3)."""


def mathematics_section(stage: Figures, prefix: str) -> Markup | None:
    """The numbers of the paper's procedure; None for other runs."""
    told = stage["mathematics"]
    if told is None:
        return None
    dead = sum(told["dead"].values())
    ends = (("train", told["train"]), ("held out", told["held_out"]), ("dead", dead))
    checked = (("agreed", told["agreed"]), ("not agreed", told["not_agreed"]))
    blocks: list[Child] = [
        _flow(f"{words.number(told['problems'])} problems", ends),
        _flow(f"{words.number(told['held_out'])} of them held out", checked, told["agreed_share"]),
        _methods(told),
        told["agreements"] and _agreements(told),
    ]
    lead = (
        "Held-out problems are solved several times and kept where enough answers agree; the others are solved once. "
        "Counted in all records."
    )
    return section(f"{prefix}mathematics", "Problems and solutions", tag("div", blocks, class_="pair"), lead=lead)


def _flow(title: str, ends: tuple[tuple[str, int], ...], share: float | None = None) -> Markup:
    total = sum(count for _, count in ends)
    shown = [
        (class_, count, words.number(count), f"{name}, {words.percent(count / total) if total else '0 %'}")
        for class_, (name, count) in zip(("delivered", "dropped", "dead"), ends, strict=False)
    ]
    law = f"{words.number(total)} = {' + '.join(f'{words.number(count)} {name}' for name, count in ends)}."
    paper = f" The paper kept {words.percent(PAPER_SHARE)}." if share is not None else ""
    return figure(title, flow(shown, f"{title}: {law}"), caption=law + paper)


def _methods(told: Figures) -> Markup:
    rows = [
        [
            name.replace("_", " "),
            *(words.number(each[key]) for key in ("asked", "answered", "compared", "agreeing")),
            ", ".join(f"{words.number(count)} {words.reason(problem)}" for problem, count in each["problems"].items()),
        ]
        for name, each in told["methods"].items()
    ]
    caption = (
        f"{words.number(told['solutions'])} solutions; a model judged {words.number(told['judged'])} pairs of answers."
    )
    return figure(
        "Solutions by method",
        table(["method", "asked", "answered", "compared", "agreeing", "without an answer"], rows),
        caption=caption,
    )


def _agreements(told: Figures) -> Markup:
    total = sum(told["agreements"].values())
    entries = [{"name": name, "count": count, "share": count / total} for name, count in told["agreements"].items()]
    return figure(
        "How many answers agree", share_table(("solutions", "problems"), entries, lambda entry: str(entry["name"]))
    )


def accuracy_section(stage: Figures, prefix: str) -> Markup | None:
    """How many answers are right, with what chance leaves open; None for runs that grade nothing."""
    told = stage["accuracy"]
    if told is None:
        return None
    groups = [
        figure(f"By {column}", _accuracy_table(column, {name: values[name] for name in values}))
        for column, values in told["by"].items()
    ]
    rest = f"{words.number(told['unanswered'])} replies gave no answer, and count as wrong."
    if dead := sum(told["dead"].values()):
        rest += f" {words.number(dead)} problems without a reply do not count."
    overall = figure("All problems", _accuracy_table("", {"all": told}), caption=rest)
    lead = "The interval is Wilson's at 95 %: other problems of this kind would likely give an accuracy within it."
    return section(f"{prefix}accuracy", "Accuracy", tag("div", [overall, *groups], class_="pair"), lead=lead)


def _accuracy_table(column: str, values: Figures) -> Markup:
    rows = [
        [
            name,
            interval(each["low"], each["accuracy"] or 0.0, each["high"]),
            words.percent(each["accuracy"]) if each["problems"] else "–",
            f"{words.number(each['right'])} of {words.number(each['problems'])}",
        ]
        for name, each in values.items()
    ]
    return table([column, "", "accuracy", "right"], rows)
