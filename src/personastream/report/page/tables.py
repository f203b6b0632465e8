"""Tables whose rows carry a bar each, and the small blocks that all sections are made of."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from personastream.report.page.charts import bar
from personastream.report.page.markup import Child, Markup, tag
from personastream.report.page.words import number, percent

BAR_HEIGHT = 10


def section(identity: str, title: str, *children: Child, lead: Child = None) -> Markup:
    """A part of the page with a heading, to which the list of contents leads."""
    return tag("section", tag("h2", title), lead and tag("p", lead, class_="lead"), children, id=identity)


def figure(title: str, *children: Child, caption: Child = None) -> Markup:
    """A chart or table with its title above and a remark below."""
    return tag("figure", tag("h3", title), children, caption and tag("figcaption", caption))


def share_table(
    heads: tuple[str, str],
    entries: Sequence[Mapping[str, Any]],
    named: Callable[[Mapping[str, Any]], str],
    class_: str = "main",
) -> Markup:
    """Names with a bar, a count and a share each; the longest bar fills its column, and the rest of the names has none.

    `examples` stand below a row.
    """
    greatest = max((entry["share"] for entry in entries if entry["name"] is not None), default=1) or 1
    rows = [_share_row(entry, named(entry), greatest, class_) for entry in entries]
    return tag("table", table_head(heads[0], "", heads[1], "share"), tag("tbody", rows))


def _share_row(entry: Mapping[str, Any], name: str, greatest: float, class_: str) -> Iterable[Markup]:
    examples: Child = entry.get("examples")
    yield tag(
        "tr",
        tag("td", name, dir="auto"),
        tag(
            "td", entry["name"] is not None and bar([(class_, entry["share"] / greatest)], BAR_HEIGHT), class_="length"
        ),
        tag("td", number(entry["count"])),
        tag("td", percent(entry["share"])),
        class_="has-examples" if examples else None,
    )
    if examples:
        yield tag("tr", tag("td", examples, colspan=4, class_="examples"))


def table(heads: Sequence[str], rows: Iterable[Sequence[Child]]) -> Markup:
    """A plain table, which scrolls by itself where it is too wide. A column without a head, but the first, has bars."""
    classes = [None, *(None if head else "length" for head in heads[1:])]
    body = [
        tag("tr", [tag("td", cell, class_=class_) for cell, class_ in zip(row, classes, strict=True)]) for row in rows
    ]
    return tag("div", tag("table", table_head(*heads), tag("tbody", body)), class_="scroll", tabindex=0)


def table_head(*heads: str) -> Markup:
    """The first row; a column without a name has an empty head."""
    return tag("thead", tag("tr", [tag("th", head, scope="col") if head else tag("td") for head in heads]))


def facts(*entries: tuple[str, Child]) -> Markup:
    """Names and values below each other; those without a value are left out."""
    kept = [(name, value) for name, value in entries if value not in (None, "")]
    return tag("dl", [(tag("dt", name), tag("dd", value)) for name, value in kept], class_="facts")


def tiles(*entries: tuple[str, str, Child]) -> Markup:
    """Large figures: name, value, remark."""
    blocks = [
        tag("div", tag("dt", name), tag("dd", value, remark and tag("small", remark)))
        for name, value, remark in entries
    ]
    return tag("dl", blocks, class_="tiles")
