"""How it is shown: plain data in, one HTML page out, with nothing that it loads or runs."""

import base64
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from importlib.resources import files
from typing import Any

from personastream.report.page import rows, texts, words
from personastream.report.page.markup import Child, Markup, tag
from personastream.report.page.origin import anchor, lineage_section, stages_section

Figures = Mapping[str, Any]

SECTIONS: tuple[Callable[[Figures, str], Markup | None], ...] = (
    rows.rows_section,
    rows.time_section,
    rows.replies_section,
    texts.lengths_section,
    texts.languages_section,
    texts.diversity_section,
    texts.similarity_section,
    texts.excerpts_section,
    rows.settings_section,
)
CONTENTS = {
    "rows": "rows", "time": "time", "replies": "models", "lengths": "lengths", "languages": "languages",
    "diversity": "diversity", "similarity": "similarity", "lineage": "lineage", "records": "records",
    "settings": "settings",
}  # fmt: skip


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
    stages = document["stages"]
    if len(stages) == 1:
        stage = stages[0]
        yield tag(
            "header",
            _heading(document["title"], stage["state"]),
            _about(document),
            rows.head_tiles(stage),
            _contents(document, stage),
        )
        sections = [make(stage, "") for make in SECTIONS]
        sections.insert(len(sections) - 2, lineage_section(document["lineage"]))
        yield tag("main", sections)
    else:
        state = "finished" if all(stage["state"] == "finished" for stage in stages) else "work left"
        yield tag("header", _heading(document["title"], state), _about(document), rows.total_tiles(stages))
        yield tag(
            "main",
            stages_section(stages),
            lineage_section(document["lineage"]),
            map(_folded, stages, range(len(stages))),
        )
    yield _foot(document)


def _heading(title: str, state: str) -> Markup:
    class_ = "pill finished" if state == "finished" else "pill stopped" if state in ("stopped", "work left") else "pill"
    return tag("h1", title, " ", tag("span", state, class_=class_))


def _about(document: Figures) -> Markup:
    began = min(stage["created"] for stage in document["stages"])
    return tag("p", f"Begun {words.moment(began)}, looked at {words.moment(document['made'])}", class_="soft")


def _contents(document: Figures, stage: Figures) -> Markup:
    present = {
        "time": stage["time"], "replies": stage["replies"], "lengths": stage["lengths"]["outputs"],
        "languages": stage["scripts"], "diversity": stage["diversity"]["outputs"], "similarity": stage["similarity"],
        "lineage": document["lineage"], "records": stage["excerpts"],
    }  # fmt: skip
    links = [tag("a", word, href=f"#{name}") for name, word in CONTENTS.items() if present.get(name, True)]
    return tag("nav", links, aria_label="Contents")


def _folded(stage: Figures, place: int) -> Markup:
    """A stage among several: closed until somebody wants to read it, or follows a link into it."""
    name = tag("summary", stage["name"], " ", tag("span", stage["state"], class_=f"pill {stage['state']}"))
    sections = [make(stage, f"{anchor(place)}-") for make in SECTIONS]
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
