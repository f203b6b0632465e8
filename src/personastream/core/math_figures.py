"""Every number of the math loop, from the records of a `solve` run. They add up:

problems = train + held_out + dead · held_out = agreed + not_agreed · of each method, asked = answered + problems

`compared` counts answers of problems with several solutions, and `agreeing` those of them that agree with another.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

TRAIN, HELD_OUT = "train", "held_out"
NO_AGREEMENT = "no_agreement"


def math_figures(records: Iterable[Mapping[str, Any]], dead: Mapping[str, int] | None = None) -> dict[str, Any]:
    """The numbers of the paper's procedure (section 3). `dead` counts the dead rows of the run by reason.

    Held-out rows that died because their solutions do not agree count as held out, not as dead.
    """
    rows, solved, agreements = Counter[str](), Counter[str](), Counter[str]()
    methods: dict[str, dict[str, Any]] = {}
    judged = 0
    for record in records:
        split, agreed = str(record.get("split")), record.get("agreed")
        rows[split] += 1
        solved[split] += agreed is not False
        if agreed is not None:
            agreement = record["agreement"]
            agreements[f"{len(agreement['agreeing'])} of {agreement['asked']}"] += 1
        judged += len(record.get("judgements", ()))
        for solution in record.get("solutions", ()):
            _count(methods, solution, among_several=agreed is not None)
    dead = {reason: number for reason, number in (dead or {}).items() if number}
    undecided = dead.pop(NO_AGREEMENT, 0)
    held_out = rows[HELD_OUT] + undecided
    return {
        "problems": rows.total() + undecided + sum(dead.values()),
        "dead": dict(sorted(dead.items())),
        "train": rows[TRAIN],
        "train_solved": solved[TRAIN],
        "held_out": held_out,
        "agreed": solved[HELD_OUT],
        "not_agreed": held_out - solved[HELD_OUT],
        "agreed_share": solved[HELD_OUT] / held_out if held_out else None,
        "agreements": dict(sorted(agreements.items(), reverse=True)),
        "solutions": sum(each["asked"] for each in methods.values()),
        "methods": {name: methods[name] for name in sorted(methods)},
        "judged": judged,
    }


def _count(methods: dict[str, dict[str, Any]], solution: Mapping[str, Any], *, among_several: bool) -> None:
    figures = methods.setdefault(
        solution["method"], {"asked": 0, "answered": 0, "compared": 0, "agreeing": 0, "problems": {}}
    )
    figures["asked"] += 1
    figures["answered"] += bool(solution["answer"])
    figures["compared"] += among_several and bool(solution["answer"])
    figures["agreeing"] += among_several and bool(solution["agrees"])
    if problem := solution.get("problem"):
        figures["problems"][problem] = figures["problems"].get(problem, 0) + 1
