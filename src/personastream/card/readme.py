"""A data set card: what the data is, in figures of its own runs, for people. The YAML before it is for tools."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from personastream.card.facts import CardFacts, StageFacts, Step, counted
from personastream.card.front_matter import front_matter
from personastream.card.quoting import inert_markdown as inert
from personastream.card.quoting import json_block
from personastream.core.outcomes import Usage
from personastream.core.spend import shown
from personastream.licences.expression import ids
from personastream.licences.facts import facts_of
from personastream.records import NO_LICENCE

ROWS_MAX = 30
SOURCES_MAX = 20
TRAINING = {"yes": "allowed", "no": "restricted", "conditions": "under conditions", "unknown": "not known"}
TOLD_BY = {"setting": "the configuration", "name": "the model's name"}
LIMITS = (
    "Language models wrote these texts. They state things that are not true, and were not checked for it.",
    "Personas are short descriptions: the people in them do not exist, or are not meant, and stand for nobody.",
    "Style and views are those of the models that wrote; groups are not represented as in any population.",
    "Screens and deduplication find what they are made to find. What is left is not proved to be free of it.",
    "Whether the texts overlap with a benchmark is known only for those that were looked for, if any is named here.",
)


def readme(facts: CardFacts) -> str:
    """The whole page."""
    return "\n".join(_page(facts)) + "\n"


def card_licences(facts: CardFacts) -> list[str]:
    """The licences that hold for the records: that of the output if it is declared, else those of the sources."""
    return [facts.output_licence] if facts.output_licence else list(facts.licences)


def _page(facts: CardFacts) -> Iterator[str]:
    yield front_matter(facts.title, facts.rows, card_licences(facts))
    yield f"# {inert(facts.title)}"
    yield ""
    state = "" if all(stage.finished for stage in facts.stages) else " The run was not finished when this was written."
    yield (
        f"**Synthetic data: language models wrote every record.** {facts.rows:,} records, made by personastream "
        f"{inert(facts.ends[0].version)} from personas, {_span(*facts.span)}.{state}"
    )
    yield ""
    yield "Each record says so (`synthetic: true`), and names its model, template, source licence and time in `meta`."
    yield ""
    yield from _part("Where the rows went", _outcomes(facts.stages))
    yield from _part("Models and their terms", _models(facts.stages))
    yield from _part("Sources and their licences", _sources(facts))
    yield from _part("What was thinned and screened", _steps(facts.stages))
    yield from _part("Cost", _costs(facts.stages))
    yield from _part("Known limits", [f"- {limit}" for limit in LIMITS])
    yield from _part("Provenance", _provenance(facts))


def _span(first: str, last: str) -> str:
    return f"on {first[:10]}" if first[:10] == last[:10] else f"from {first[:10]} to {last[:10]}"


def _part(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield from (f"## {title}", "", *lines, "")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Iterable[int] = ()) -> Iterator[str]:
    right = set(numbers)
    yield "| " + " | ".join(head) + " |"
    yield "| " + " | ".join("---:" if place in right else "---" for place in range(len(head))) + " |"
    yield from ("| " + " | ".join(row) + " |" for row in rows)


def _outcomes(stages: Sequence[StageFacts]) -> Iterator[str]:
    """Every row that was read, by the end that it met."""
    rows = []
    for stage in stages:
        counts = stage.counts
        rows.append((inert(stage.name), "delivered", "", f"{counts.delivered:,}"))
        for end, reasons in (("dropped", counts.dropped), ("dead", counts.dead)):
            some = _commonest(reasons)
            rows += [(inert(stage.name), end, inert(reason), f"{number:,}") for reason, number in some.items()]
    yield from _table(("run", "end", "reason", "rows"), rows, (3,))
    yield ""
    yield "Every row that was read is in one line of this table: read = delivered + dropped + dead."


def _models(stages: Sequence[StageFacts]) -> Iterator[str]:
    asking = [stage for stage in stages if stage.asks]
    rows = [
        (inert(stage.name), inert(model), _terms_of(stage, model), f"{number:,}")
        for stage in asking
        for model, number in _commonest(stage.sampled.models).items()
    ]
    yield from _table(("run", "model, as its replies name it", "terms", "records"), rows, (3,))
    yield from _sampled_note(asking)
    told = {str(terms.get("model")): terms for stage in asking for terms in stage.terms}
    if told:
        yield ""
        yield "By the models asked for. Whether others may be trained on what a model writes is for its terms to say."
        yield ""
        yield from _table(
            ("model", "terms", "told by", "training other models", "read at"),
            [
                (
                    inert(model),
                    inert("not known" if terms.get("terms") == NO_LICENCE else str(terms.get("terms"))),
                    TOLD_BY.get(str(terms.get("told_by")), "nobody"),
                    TRAINING.get(str(terms.get("training")), "not known") + _says(terms),
                    inert(str(terms.get("url") or "")),
                )
                for model, terms in told.items()
            ],
        )
    yield ""
    yield "Templates of the prompts, by name and hash:"
    yield ""
    templates = counted(stage.sampled.templates for stage in asking)
    yield from _table(
        ("template", "records"), [(inert(name), f"{number:,}") for name, number in _commonest(templates).items()], (1,)
    )


def _terms_of(stage: StageFacts, model: str) -> str:
    """The terms of a model that replies name, if it is one that was asked for by that name."""
    found = (terms.get("terms") for terms in stage.terms if terms.get("model") == model)
    term = next(found, NO_LICENCE)
    return "not known" if term == NO_LICENCE else inert(str(term))


def _says(terms: Mapping[str, object]) -> str:
    return f": {inert(str(terms['says']))}" if terms.get("says") else ""


def _sources(facts: CardFacts) -> Iterator[str]:
    if facts.output_licence:
        yield f"The records are meant to be passed on under {inert(facts.output_licence)}."
        yield ""
    rows = [
        (inert("not declared" if licence == NO_LICENCE else licence), f"{number:,}", _links(licence))
        for licence, number in _commonest(facts.licences).items()
    ]
    yield from _table(("licence of the source", "records", "read at"), rows, (1,))
    yield from _sampled_note(facts.ends)
    yield ""
    yield "Records hold the persona that they were made from word by word: what holds for the sources holds for them."
    yield ""
    first = [(stage, source) for stage in facts.stages if not stage.reads for source in stage.sources]
    yield from _table(
        ("file", "bytes", "licence", "fingerprint"),
        [
            (inert(each.name), f"{each.size_bytes:,}", inert(each.licence or "not declared"), inert(each.fingerprint))
            for _, each in first[:SOURCES_MAX]
        ],
        (1,),
    )
    if len(first) > SOURCES_MAX:
        yield ""
        yield f"And {len(first) - SOURCES_MAX:,} more: see prov.json."


def _links(licence: str) -> str:
    known = [found.url for found in map(facts_of, ids(licence)) if found]
    return ", ".join(f"<{url}>" for url in known)


def _steps(stages: Sequence[StageFacts]) -> Iterator[str]:
    rows = [
        (inert(stage.name), step.kind, inert(step.type), inert(_settings(step)))
        for stage in stages
        for step in stage.steps
    ]
    if not rows:
        yield "Nothing: all rows that could be read were asked for, and all good replies delivered, as they are."
        return
    yield from _table(("run", "step", "type", "settings"), rows)
    flagged = counted(stage.sampled.flagged for stage in stages)
    if flagged:
        yield ""
        some = ", ".join(f"{inert(name)} ({number:,})" for name, number in _commonest(flagged).items())
        yield f"What screens have marked in records and left there, as `meta.screens` tells: {some}."


def _settings(step: Step) -> str:
    return ", ".join(f"{key} = {value}" for key, value in step.settings.items() if value not in (None, "", []))


def _costs(stages: Sequence[StageFacts]) -> Iterator[str]:
    asking = [stage for stage in stages if stage.asks]
    rows = [(inert(stage.name), *_cost(stage.usage)) for stage in asking]
    if len(rows) > 1:
        rows.append(("all", *_cost(sum((stage.usage for stage in asking), Usage()))))
    yield from _table(("run", "requests", "input tokens", "output tokens", "money"), rows, (1, 2, 3, 4))


def _cost(usage: Usage) -> tuple[str, str, str, str]:
    money = shown(usage.spend_nanos) if usage.spend_nanos else "no prices given"
    return f"{usage.requests:,}", f"{usage.input_tokens:,}", f"{usage.output_tokens:,}", money


def _provenance(facts: CardFacts) -> Iterator[str]:
    yield "`croissant.json` describes the files for programs, `prov.json` tells what was made of what."
    yield ""
    yield json_block(
        {
            "synthetic": True,
            "card written": facts.made,
            "personastream": facts.version,
            "runs": [
                {
                    "name": stage.name,
                    "run": stage.run_id,
                    "begun": stage.created,
                    "made of": list(stage.reads),
                    "settings (SHA-256)": stage.config_digest,
                    "audit log": {"events": stage.audit_events, "head": stage.audit_head},
                }
                for stage in facts.stages
            ],
        }
    )


def _sampled_note(stages: Sequence[StageFacts]) -> Iterator[str]:
    parts = [stage for stage in stages if stage.sampled.looked_at < stage.records]
    if parts:
        yield ""
        some = ", ".join(f"{stage.sampled.looked_at:,} of {stage.records:,} in {inert(stage.name)}" for stage in parts)
        yield f"Counted in a sample of the records, spread evenly: {some}."


def _commonest(counts: Mapping[str, int]) -> dict[str, int]:
    """The largest entries; the rest, if there are many, together."""
    ordered = sorted(((name, number) for name, number in counts.items() if number), key=lambda one: (-one[1], one[0]))
    some = dict(ordered[:ROWS_MAX])
    rest = sum(number for _, number in ordered[ROWS_MAX:])
    return {**some, f"{len(ordered) - ROWS_MAX:,} others": rest} if rest else some
