"""How personas grew from hop to hop: each stage's sample, scaled to all that it holds."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from personastream.report.figures.statistics import shares, spread
from personastream.report.records import Lineage

RELATIONS_MAX = 10


@dataclass(frozen=True, slots=True)
class Traced:
    """What is known of one stage's personas: those sampled, how many there are, and of how many rows they came."""

    sampled: Sequence[Lineage]
    records: int
    rows: int


def lineage_figures(stages: Sequence[Traced]) -> dict[str, Any] | None:
    """Personas, roots and relations by hop; None if no record tells where it comes from."""
    stages = [stage for stage in stages if stage.sampled]
    if not stages:
        return None
    personas: Counter[int] = Counter()
    parents: Counter[int] = Counter()
    roots: dict[int, set[str]] = defaultdict(set)
    relations: Counter[str] = Counter()
    for stage in stages:
        per_record = stage.records / len(stage.sampled)
        hops = Counter(each.hop for each in stage.sampled)
        for hop, count in hops.items():
            personas[hop] += round(count * per_record)
            parents[hop] += round(count / len(stage.sampled) * stage.rows)
        for each in stage.sampled:
            roots[each.hop].add(each.root)
            relations[each.relation] += 1
    whole = all(len(stage.sampled) == stage.records for stage in stages)
    return {
        "exact": whole,
        "hops": [
            {
                "hop": hop,
                "personas": personas[hop],
                "roots": len(roots[hop]),
                "asked_rows": parents[hop],
                "fan_out": personas[hop] / parents[hop] if parents[hop] else None,
            }
            for hop in sorted(personas)
        ],
        "roots": len(set().union(*roots.values())),
        "per_root": spread(_per_root(stages)) if whole else None,
        "relations": shares({name or "(none)": count for name, count in relations.items()}, RELATIONS_MAX),
    }


def _per_root(stages: Sequence[Traced]) -> list[int]:
    return list(Counter(each.root for stage in stages for each in stage.sampled).values())
