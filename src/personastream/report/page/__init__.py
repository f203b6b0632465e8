"""How it is shown: plain data in, one HTML page out, with nothing that it loads or runs."""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from typing import Any

from personastream.report.page import rows, texts, words
from personastream.report.page.markup import Child, Markup, tag
from personastream.report.page.mathematics import accuracy_section, mathematics_section
from personastream.report.page.origin import anchor, lineage_section, stages_section
from personastream.report.page.review import review_section

Figures = Mapping[str, Any]

SECTIONS: Mapping[str, Callable[[Figures, str], Markup | None]] = {
    "rows": rows.rows_section,
    "time": rows.time_section,
    "replies": rows.replies_section,
    "mathematics": mathematics_section,
    "accuracy": accuracy_section,
    "lengths": texts.lengths_section,
    "languages": texts.languages_section,
    "diversity": texts.diversity_section,
    "similarity": texts.similarity_section,
    "review": lambda stage, prefix: review_section(stage["review"], prefix),
    "records": texts.excerpts_section,
    "settings": rows.settings_section,
}
"""Sections about one run, by what they are called in the address and in the list of contents."""
ORDER = (*list(SECTIONS)[:-2], "lineage", *list(SECTIONS)[-2:])


def page(document: Figures) -> str:
    """The whole page."""
    style = files(__package__).joinpath("style.css").read_text("utf-8")
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("link", rel="icon", href="data:,"),
        tag("title", f"{document['title']} · personastream report"),
        tag("style", Markup(style)),
    )
    body = tag("body", _body(document))
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _body(document: Figures) -> Iterator[Child]:
    stages, lineage = document["stages"], lineage_section(document["lineage"])
    if len(stages) == 1:
        stage = stages[0]
        made = {"lineage": lineage, **{name: make(stage, "") for name, make in SECTIONS.items()}}
        shown = {name: made[name] for name in ORDER if made[name]}
        yield tag(
            "header",
            _heading(document["title"], stage["state"]),
            _about(document),
            rows.head_tiles(stage),
            _contents(list(shown)),
        )
        yield tag("main", shown.values())
    else:
        state = "finished" if all(stage["state"] == "finished" for stage in stages) else "work left"
        yield tag("header", _heading(document["title"], state), _about(document), rows.total_tiles(stages))
        yield tag(
            "main",
            stages_section(stages),
            lineage,
            review_section(document["review"], ""),
            map(_folded, stages, range(len(stages))),
        )
    yield _foot(document)


def _heading(title: str, state: str) -> Markup:
    class_ = "pill finished" if state == "finished" else "pill stopped" if state in ("stopped", "work left") else "pill"
    return tag("h1", title, " ", tag("span", state, class_=class_))


def _about(document: Figures) -> Markup:
    began = min(stage["created"] for stage in document["stages"])
    return tag("p", f"Begun {words.moment(began)}, looked at {words.moment(document['made'])}", class_="soft")


def _contents(names: Sequence[str]) -> Markup:
    return tag("nav", [tag("a", name, href=f"#{name}") for name in names], aria_label="Contents")


def _folded(stage: Figures, place: int) -> Markup:
    """A stage among several: closed until somebody wants to read it, or follows a link into it."""
    name = tag("summary", stage["name"], " ", tag("span", stage["state"], class_=f"pill {stage['state']}"))
    sections = [make(stage, f"{anchor(place)}-") for make in SECTIONS.values()]
    return tag("details", name, tag("div", rows.head_tiles(stage), sections, id=anchor(place)))


def _foot(document: Figures) -> Markup:
    sampled = [stage["sampled"] for stage in document["stages"]]
    some, of = (sum(each[name] for each in sampled) for name in ("records", "of"))
    how = "all" if some == of else f"a sample of {words.number(some)} of the"
    return tag(
        "footer",
        tag(
            "p",
            "Rows, reasons, records, requests, tokens and money are counted: added up from the ends of all files. "
            f"All else is told of {how} {words.number(of)} records. The sample is spread evenly over the output, and "
            f"the same for the same seed ({document['seed']}).",
        ),
        tag("p", f"personastream {document['version']} · ", tag("code", f"personastream report {document['title']}")),
    )
