"""A review by people, in figures: who is asked about which records, and what their marks say of all of them. Pure.

A record counts as valid if everybody who has marked it says so. Shares are those of the whole run: each stratum has the
weight of its records there, however many of them were drawn. The interval is Wilson's, for as many records as the
sample is worth: with uneven weights, fewer than were marked (Kish). It is for 95 %.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Literal, NamedTuple, get_args

from personastream.core.accuracy import wilson

Mark = Literal["valid", "invalid", "unsafe"]
MARKS: tuple[Mark, ...] = get_args(Mark)

Marks = Mapping[str, Mark]
"""What one reviewer says, by the id of the record."""


class Drawn(NamedTuple):
    """A record of a sample: its id, and the stratum that it was drawn for."""

    id: str
    stratum: str


def allocate(populations: Mapping[str, float], wanted: int) -> dict[str, int]:
    """How many of each stratum to draw: in proportion, at least one, never more than there are. Sums up to `wanted`.

    Raises `ValueError` if there are more strata than `wanted`.
    """
    if len(populations) > wanted:
        raise ValueError(f"{len(populations)} strata, but only {wanted} records to draw")
    total = sum(populations.values())
    wanted = min(wanted, int(total))
    drawn = dict.fromkeys(populations, 1)
    while sum(drawn.values()) < wanted:
        open_ = [name for name in populations if drawn[name] < populations[name]]
        neediest = max(open_, key=lambda name: (wanted * populations[name] / total - drawn[name], name))
        drawn[neediest] += 1
    return drawn


def review_figures(
    drawn: Sequence[Drawn], populations: Mapping[str, float], marks: Mapping[str, Marks]
) -> dict[str, Any]:
    """All there is to tell, given what each reviewer has marked."""
    verdicts = {each.id: found for each in drawn if (found := _verdicts(each.id, marks))}
    of = {each.id: each.stratum for each in drawn}
    strata = {name: _stratum(name, of, populations, verdicts) for name in populations}
    known = {name: told for name, told in strata.items() if told["marked"]}
    return {
        "sample": len(drawn),
        "marked": len(verdicts),
        "reviewers": {name: _tally(of, each) for name, each in sorted(marks.items())},
        **{mark: _share(mark, known) for mark in MARKS},
        "strata": strata,
        "not_covered": sorted(strata.keys() - known.keys()),
        "agreement": [_agreement(first, second, of, marks) for first, second in combinations(sorted(marks), 2)],
    }


def kappa(pairs: Sequence[tuple[Mark, Mark]]) -> float | None:
    """Cohen's kappa of two reviewers' marks on the same records; None if chance alone explains every agreement."""
    if not pairs:
        return None
    first, second = (Counter(pair[at] for pair in pairs) for at in (0, 1))
    observed = sum(one == other for one, other in pairs) / len(pairs)
    expected = sum(first[mark] * second[mark] for mark in MARKS) / len(pairs) ** 2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def verdict(given: Sequence[Mark]) -> Mark:
    """What several marks of one record come to: unsafe if anybody says so, valid only if all do."""
    if "unsafe" in given:
        return "unsafe"
    return "valid" if all(mark == "valid" for mark in given) else "invalid"


def _verdicts(identity: str, marks: Mapping[str, Marks]) -> Mark | None:
    given = [each[identity] for each in marks.values() if identity in each]
    return verdict(given) if given else None


def _stratum(
    name: str, of: Mapping[str, str], populations: Mapping[str, float], verdicts: Mapping[str, Mark]
) -> dict[str, Any]:
    found = Counter(mark for identity, mark in verdicts.items() if of[identity] == name)
    drawn = sum(stratum == name for stratum in of.values())
    return {
        "records": round(populations[name]),
        "drawn": drawn,
        "marked": found.total(),
        **{m: found[m] for m in MARKS},
    }


def _share(mark: Mark, strata: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The share of a mark in all records of these strata, and between which shares the true one lies."""
    records = sum(told["records"] for told in strata.values())
    if not records:
        return {"marked": 0, "share": None, "low": 0.0, "high": 1.0}
    weights = [(told["records"] / records, told["marked"], told[mark]) for told in strata.values()]
    share = sum(weight * marked / of for weight, of, marked in weights)
    worth = 1 / sum(weight * weight / of for weight, of, _ in weights)
    low, high = wilson(share * worth, worth)
    return {"marked": sum(marked for _, _, marked in weights), "share": share, "low": low, "high": high}


def _tally(of: Mapping[str, str], marks: Marks) -> dict[str, int]:
    found = Counter(mark for identity, mark in marks.items() if identity in of)
    return {"marked": found.total(), **{mark: found[mark] for mark in MARKS}}


def _agreement(first: str, second: str, of: Mapping[str, str], marks: Mapping[str, Marks]) -> dict[str, Any]:
    both = [identity for identity in of if identity in marks[first] and identity in marks[second]]
    pairs = [(marks[first][identity], marks[second][identity]) for identity in both]
    agreed = sum(one == other for one, other in pairs)
    return {
        "reviewers": [first, second],
        "records": len(pairs),
        "agreed": agreed,
        "kappa": kappa(pairs),
        "differ": [identity for identity, (one, other) in zip(both, pairs, strict=True) if one != other],
    }
