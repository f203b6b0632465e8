"""The licence gate: before anything is sent, whether `[licence]` lets a run read its sources and ask its models.

Shards whose rows are all under one licence are judged as a whole, here. Rows that name a licence of their own are
judged one by one as they are read (`RowGate`): those that are refused are dropped for `licence`, or stop the run.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from personastream.build import Parts
from personastream.errors import LicenceRefused
from personastream.licences.facts import facts_of, terms_by_model
from personastream.licences.gate import Complaint, about_model, about_source
from personastream.licences.rules import LicenceRules
from personastream.ports import Provider, Source, Transform
from personastream.records import NO_LICENCE, Batch, Shard

REASON = "licence"
FILES_NAMED_MAX = 5


class Finding(NamedTuple):
    """A complaint, and what it is about: a file, or a model. `called` is how its licence is called in the sentence."""

    subject: str
    licence: str
    complaint: Complaint
    called: str

    def document(self) -> dict[str, str]:
        """For programs."""
        told = self.complaint
        return {"subject": self.subject, "licence": self.licence, "rule": told.rule, "weight": told.weight}

    def __str__(self) -> str:
        return f"{self.subject}: {self.called} {self.complaint.says}"


class Terms(NamedTuple):
    """Under whose terms a model is, and who says so: its `setting`, its `name`, or nobody."""

    model: str
    label: str
    terms: str
    told_by: str
    url: str

    def document(self) -> dict[str, Any]:
        """For the manifest: with what the facts say of training, as they are now."""
        facts = facts_of(self.terms)
        return {
            "model": self.model,
            "terms": self.terms,
            "told_by": self.told_by,
            "url": self.url or (facts.url if facts else ""),
            "training": facts.training if facts else "unknown",
            "commercial": facts.commercial if facts else "unknown",
            "says": facts.says if facts else "",
        }


def terms_of(provider: Provider) -> Terms:
    """The terms of a provider's model: those that its settings name, else those that its name tells."""
    model, label = str(getattr(provider, "model", "")), str(getattr(provider, "label", type(provider).__name__))
    declared, url = str(getattr(provider, "terms", "")), str(getattr(provider, "terms_url", ""))
    if declared:
        return Terms(model, label, declared, "setting", url)
    by_name = terms_by_model(model)
    return Terms(model, label, by_name or NO_LICENCE, "name" if by_name else "", url)


def findings(parts: Parts, shards: Sequence[Shard]) -> list[Finding]:
    """All that `[licence]` has to say about a run; files first. Of rows with licences of their own nothing is known."""
    return [*_about_shards(parts.source, shards, parts.licence), *_about_models(parts.answering, parts.licence)]


def check_licences(parts: Parts, shards: Sequence[Shard]) -> list[Finding]:
    """What remains to be told of a run that may go on: warnings, and what was allowed in spite of the rules.

    Raises `LicenceRefused`.
    """
    found = findings(parts, shards)
    refused = [each for each in found if each.complaint.weight == "refused"]
    if refused:
        raise LicenceRefused("the licence gate refuses this run:\n" + "\n".join(_told(refused)), hint=_hint(refused))
    return found


def told(found: Sequence[Finding]) -> dict[str, object]:
    """For the audit log: what was accepted in spite of the rules, and what nothing is known of."""
    kinds = {"overridden": "overridden", "warnings": "warning"}
    several = {
        name: [
            {key: value for key, value in each.document().items() if key != "weight"}
            for each in found
            if each.complaint.weight == weight
        ]
        for name, weight in kinds.items()
    }
    return {name: some for name, some in several.items() if some}


def _about_shards(source: Source, shards: Iterable[Shard], rules: LicenceRules) -> Iterable[Finding]:
    says = getattr(source, "says_licence_of", None)
    for shard in shards:
        if says is None or says(shard):
            licence = shard.licence or NO_LICENCE
            if complaint := about_source(licence, rules):
                yield Finding(shard.path, licence, complaint, _called(licence))


def _about_models(providers: Iterable[Provider], rules: LicenceRules) -> Iterable[Finding]:
    for terms in dict.fromkeys(map(terms_of, providers)):
        if complaint := about_model(terms.terms, rules):
            called = "whose terms it is under" if terms.terms == NO_LICENCE else f"the terms {terms.terms}"
            guessed = ", by the model's name," if terms.told_by == "name" else ""
            yield Finding(f"model {terms.label}", terms.terms, complaint, called + guessed)


def _called(licence: str) -> str:
    return "its licence" if licence == NO_LICENCE else licence


def _told(found: Sequence[Finding], named_max: int = FILES_NAMED_MAX) -> Iterator[str]:
    """A line for each, but for no more than so many files of the same licence."""
    alike: dict[tuple[str, Complaint], list[Finding]] = {}
    for each in found:
        alike.setdefault((each.licence, each.complaint), []).append(each)
    for several in alike.values():
        accepted = " (accepted by [licence] allow)" if several[0].complaint.weight == "overridden" else ""
        yield from (f"  {each}{accepted}" for each in several[:named_max])
        if (more := len(several) - named_max) > 0:
            yield f"  and {more:,} more file{'s' if more > 1 else ''} under {several[0].licence}"


def _hint(refused: Sequence[Finding]) -> str:
    ids = list(dict.fromkeys(each.licence for each in refused if each.complaint.rule != "denied"))
    undeclared = NO_LICENCE in ids
    accept = ", ".join(f'"{each}"' for each in ids if each != NO_LICENCE)
    hints = ["Leave them out, or say in [licence] what the records are really for."]
    if undeclared:
        hints.append('Declare what is not: licence = "…" in [source], terms = "…" in [provider].')
    if accept:
        hints.append(f"To go on all the same, on your own responsibility: allow = [{accept}] in [licence].")
    return "\n  ".join(hints)


def gated(parts: Parts) -> Parts:
    """The parts of a run, with what judges rows that name a licence, if the rules refuse anything."""
    by_row = bool(getattr(parts.source, "licence_column", ""))
    if not (by_row and parts.licence.refuses_anything):
        return parts
    gate: Transform = RowGate(parts.licence)
    return replace(parts, transforms=[gate, *parts.transforms])


def licence_lines(found: Sequence[Finding]) -> Iterator[str]:
    """For people, before a run: what was accepted in spite of the rules, and what is not known."""
    if found:
        yield "licences"
        yield from _told(found, 1)


@dataclass
class RowGate:
    """Keeps the rows whose own licence the rules let pass."""

    rules: LicenceRules
    _known: dict[str, Complaint | None] = field(default_factory=dict)

    def __call__(self, batch: Batch) -> Batch:
        """Raises `LicenceRefused`, if that is what `[licence] rows` asks for."""
        if not batch.licences:
            return batch
        known = self._known
        for licence in {*batch.licences}.difference(known):
            complaint = about_source(licence, self.rules)
            known[licence] = complaint if complaint and complaint.weight == "refused" else None
        mask = [known[licence] is None for licence in batch.licences]
        if self.rules.rows == "refuse" and not all(mask):
            self._refuse(batch, mask.index(False))
        return batch.keep(mask, REASON)

    def _refuse(self, batch: Batch, place: int) -> None:
        licence, row = batch.licences[place], batch.numbers[place]
        complaint = self._known[licence]
        assert complaint is not None
        finding = Finding(f"{batch.shard.path}: row {row}", licence, complaint, _called(licence))
        raise LicenceRefused(f"the licence gate refuses this run:\n  {finding}", hint=_hint([finding]))
