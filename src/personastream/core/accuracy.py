"""Accuracy with its uncertainty, from the records of a `grade` run."""

from collections.abc import Iterable, Mapping
from math import sqrt
from statistics import NormalDist
from typing import Any, NamedTuple

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """Between which shares the true one lies."""

    low: float
    high: float


def wilson(right: float, total: float, confidence: float = CONFIDENCE) -> Interval:
    """Wilson's score interval for a share; (0, 1) if nothing is known. Weighted numbers need not be whole."""
    if not total:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, weight = right / total, z * z / total
    middle = (share + weight / 2) / (1 + weight)
    reach = z * sqrt(share * (1 - share) / total + weight / (4 * total)) / (1 + weight)
    return Interval(middle - reach if right else 0.0, middle + reach if right < total else 1.0)


def accuracy_figures(records: Iterable[Mapping[str, Any]], dead: Mapping[str, int] | None = None) -> dict[str, Any]:
    """Accuracy over all, and by each column that has a few values. `dead` counts the rows without a reply by reason.

    A reply without an answer is wrong. Rows without a reply count in neither number: they are to be asked again.
    """
    right = total = unanswered = 0
    groups: dict[str, dict[str, list[int]]] = {}
    for record in records:
        correct = bool(record["correct"])
        total, right, unanswered = total + 1, right + correct, unanswered + (not record["answer"])
        for column, value in record.get("groups", {}).items():
            tally = groups.setdefault(column, {}).setdefault(str(value), [0, 0])
            tally[0] += correct
            tally[1] += 1
    return {
        **_share(right, total),
        "unanswered": unanswered,
        "dead": {reason: number for reason, number in sorted((dead or {}).items()) if number},
        "by": {
            column: {value: _share(*tally) for value, tally in sorted(values.items())}
            for column, values in sorted(groups.items())
        },
    }


def _share(right: int, total: int) -> dict[str, Any]:
    low, high = wilson(right, total)
    return {
        "right": right,
        "problems": total,
        "accuracy": right / total if total else None,
        "low": low,
        "high": high,
    }
