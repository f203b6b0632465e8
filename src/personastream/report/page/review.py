"""What people have said of a sample of the records."""

from collections.abc import Mapping
from typing import Any

from personastream.core.review import MARKS
from personastream.report.page import words
from personastream.report.page.charts import interval
from personastream.report.page.markup import Markup, tag
from personastream.report.page.tables import figure, section, table

Figures = Mapping[str, Any]


def review_section(told: Figures | None, prefix: str) -> Markup | None:
    """Shares with what chance leaves open, groups and reviewers; None if nobody has marked anything."""
    if told is None or not told["marked"]:
        return None
    shares = table(
        ["", "", "of all records", "between"],
        [
            [
                mark,
                interval(told[mark]["low"], told[mark]["share"], told[mark]["high"]),
                words.percent(told[mark]["share"]),
                f"{words.percent(told[mark]['low'])} and {words.percent(told[mark]['high'])}",
            ]
            for mark in MARKS
        ],
    )
    caption = f"{words.number(told['marked'])} of {words.number(told['sample'])} drawn records are marked."
    figures = [figure("All records", shares, caption=caption), _reviewers(told)]
    if len(told["strata"]) > 1:
        figures.append(_strata(told))
    lead = "People judged a sample, drawn from each group in proportion. The intervals are Wilson's, at 95 %."
    return section(f"{prefix}review", "Review by people", tag("div", figures, class_="pair"), lead=lead)


def _reviewers(told: Figures) -> Markup:
    rows = [
        [name, words.number(each["marked"]), *(words.number(each[mark]) for mark in MARKS)]
        for name, each in told["reviewers"].items()
    ]
    agreed = [_agreement(each) for each in told["agreement"] if each["records"]]
    return figure("Reviewers", table(["", "marked", *MARKS], rows), caption=" ".join(agreed) or None)


def _agreement(told: Figures) -> str:
    who = " and ".join(told["reviewers"])
    kappa = "" if told["kappa"] is None else f"; Cohen's kappa is {told['kappa']:.2f}"
    return f"{who} agree on {words.number(told['agreed'])} of {words.number(told['records'])} records{kappa}."


def _strata(told: Figures) -> Markup:
    counted = ("records", "marked", *MARKS)
    rows = [[name, *(words.number(each[column]) for column in counted)] for name, each in told["strata"].items()]
    return figure("Groups", table([told["by"], *counted], rows))
