"""Whether a licence, or the terms of a model, go together with what a run is for. Pure: nothing but words and facts."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from personastream.licences.expression import ids, judged
from personastream.licences.facts import Facts, facts_of
from personastream.licences.rules import LicenceRules
from personastream.records import NO_LICENCE

Weight = Literal["refused", "overridden", "warning"]


class Complaint(NamedTuple):
    """What is wrong with a licence: a short code, a sentence that goes on its name, and how much it weighs."""

    rule: str
    says: str
    weight: Weight = "refused"


def about_source(licence: str, rules: LicenceRules) -> Complaint | None:
    """What the rules say against the licence of a source, if anything."""
    return _weighed(licence, rules, lambda one: _source(one, rules))


def about_model(terms: str, rules: LicenceRules) -> Complaint | None:
    """What the rules say against the terms of a model, if anything."""
    return _weighed(terms, rules, lambda one: _model(one, rules))


def _weighed(expression: str, rules: LicenceRules, judge: Callable[[str], Complaint | None]) -> Complaint | None:
    """The complaint about an expression; one that is allowed all the same is overridden, whatever else is wrong."""
    complaint = judged(expression or NO_LICENCE, judge)
    if complaint is None or complaint.rule == "denied" or complaint.weight == "warning":
        return complaint
    accepted = expression in rules.allow or all(one in rules.allow for one in ids(expression))
    return complaint._replace(weight="overridden") if accepted else complaint


def _source(licence: str, rules: LicenceRules) -> Complaint | None:
    facts = _common(licence, rules)
    if not isinstance(facts, Facts):
        return facts
    if rules.use == "commercial" and facts.commercial == "no":
        return Complaint("noncommercial", 'allows no commercial use, and [licence] use = "commercial"')
    if rules.output and facts.derivatives == "no":
        return Complaint("no_derivatives", "allows nothing made of it to be passed on, and [licence] output is set")
    if rules.output and facts.derivatives == "same" and not _keeps(licence, facts, rules.output):
        same = " or ".join((licence, *facts.same))
        return Complaint("share_alike", f'has to be passed on under {same}, and [licence] output = "{rules.output}"')
    if rules.output and facts.commercial == "no" and judged(rules.output, _commercial) is None:
        what = f'allows no commercial use, and [licence] output = "{rules.output}" would allow it'
        return Complaint("noncommercial_output", what)
    return None


def _model(terms: str, rules: LicenceRules) -> Complaint | None:
    facts = _common(terms, rules)
    if not isinstance(facts, Facts):
        return facts
    if rules.use == "commercial" and facts.commercial == "no":
        return Complaint("noncommercial", f'allow no commercial use, and [licence] use = "commercial" ({facts.url})')
    if rules.purpose == "train" and facts.training == "no":
        return Complaint("training", f'restrict training, and [licence] purpose = "train": {facts.says} ({facts.url})')
    conditions = (rules.purpose == "train" and facts.training == "conditions") or (
        rules.use == "commercial" and facts.commercial == "conditions"
    )
    if conditions:
        return Complaint("conditions", f"have conditions: {facts.says} ({facts.url})", "warning")
    return None


def _common(licence: str, rules: LicenceRules) -> Facts | Complaint | None:
    """The facts to judge by, or what can be said without them."""
    if licence in rules.deny:
        return Complaint("denied", "is named in [licence] deny")
    facts = facts_of(licence)
    if facts is None and licence not in rules.allow:
        what = "is not declared" if licence == NO_LICENCE else "is none whose terms are known here"
        return Complaint("unknown", what, "refused" if rules.unknown == "refuse" else "warning")
    return facts


def _keeps(licence: str, facts: Facts, output: str) -> bool:
    """Whether records under `output` are under a licence that share-alike asks for."""
    return judged(output, lambda one: None if one in (licence, *facts.same) else one) is None


def _commercial(licence: str) -> str | None:
    facts = facts_of(licence)
    return licence if facts is not None and facts.commercial == "no" else None
