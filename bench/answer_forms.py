"""Replies of a model that is right on a known share of problems: right answers in other forms, wrong ones near by."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Any

_FRACTION = re.compile(r"\\[dt]?frac\{(\d+)\}\{(\d+)\}")
_NUMBER = re.compile(r"\d+")
_SURD = re.compile(r"^(\d+) ?\\sqrt\{?(\d+)\}?$")
_TERMS = re.compile(r"[+-]?[^+-]+")
_PLAIN_SUM = re.compile(r"^[a-z0-9^ +-]+$")
_OPENINGS = (
    "We read the conditions one by one and write an equation for each.",
    "First I restate the problem in symbols. Then the rest is calculation.",
    "Let me work through this step by step.\n\n1. Set up.\n2. Simplify.\n3. Check.",
)
_LAST_LINES = (
    "Answer: {0}",
    "Answer: ${0}$",
    "**Answer:** {0}",
    "Answer: \\boxed{{{0}}}",
    "Answer:\n\\[ {0} \\]",
    "So the result is \\boxed{{{0}}}.\n\nAnswer: {0}",
    "Final answer: {0}.",
)


@dataclass(frozen=True, slots=True)
class Scripted:
    """A reply for one problem, and whether it is right."""

    problem: str
    reply: str
    right: bool


def scripted(rows: Sequence[dict[str, Any]], share: float, seed: int = 1) -> list[Scripted]:
    """A reply for each row with `problem` and `answer`; exactly `share` of them, rounded, are right."""
    chance = Random(seed)
    right = set(chance.sample(range(len(rows)), round(share * len(rows))))
    return [_scripted(row, place in right, chance) for place, row in enumerate(rows)]


def _scripted(row: dict[str, Any], right: bool, chance: Random) -> Scripted:
    opening = chance.choice(_OPENINGS)
    if not right and chance.random() < 0.05:
        return Scripted(row["problem"], f"{opening}\n\nI cannot finish this.", False)
    answer = chance.choice(list(dict.fromkeys(equivalents(row["answer"])))) if right else wrong(row["answer"], chance)
    return Scripted(row["problem"], f"{opening}\n\n{chance.choice(_LAST_LINES).format(answer)}", right)


def equivalents(answer: str) -> Iterator[str]:
    """Ways to write an answer, the first as it is."""
    yield answer
    for rewrite in _REWRITES:
        other = rewrite(answer)
        if other and other != answer:
            yield other


def wrong(answer: str, chance: Random) -> str:
    """An answer that is another one, but looks like it."""
    if _NUMBER.search(answer):
        return _NUMBER.sub(lambda found: str(int(found[0]) + chance.choice((1, 2, 10))), answer, count=1)
    if "text" in answer:
        return "\\text{(A)}" if "(A)" not in answer else "\\text{(B)}"
    return f"2 + {answer}"


def _integer(answer: str) -> int | None:
    return int(answer.replace(",", "")) if re.fullmatch(r"-?\d[\d,]*", answer) else None


def _of_integer(form: Callable[[int], str]) -> Callable[[str], str]:
    def rewrite(answer: str) -> str:
        value = _integer(answer) if "," not in answer or re.fullmatch(r"\d{1,3}(,\d{3})+", answer) else None
        return "" if value is None else form(value)

    return rewrite


def _fraction(answer: str) -> Fraction | None:
    found = re.fullmatch(r"(-?)" + _FRACTION.pattern, answer)
    return found and Fraction(int(found[2]), int(found[3])) * (-1 if found[1] else 1)


def _of_fraction(form: Callable[[Fraction], str]) -> Callable[[str], str]:
    def rewrite(answer: str) -> str:
        value = _fraction(answer)
        return "" if value is None else form(value)

    return rewrite


def _terminating(value: Fraction) -> str:
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return str(value.numerator / value.denominator) if rest == 1 and value.denominator < 10**6 else ""


def _reordered(answer: str) -> str:
    """A sum backwards."""
    if not _PLAIN_SUM.match(answer):
        return ""
    terms = [term.replace(" ", "") for term in _TERMS.findall(answer)]
    signed = [term if term[0] in "+-" else f"+{term}" for term in terms]
    return " ".join(reversed(signed)).removeprefix("+") if len(terms) > 1 else ""


def _surd(answer: str) -> str:
    found = _SURD.match(answer)
    return f"\\sqrt{{{int(found[1]) ** 2 * int(found[2])}}}" if found else ""


def _both_signs(answer: str) -> str:
    if answer.count("\\pm") != 1 or answer[:1] == "{" or "\\{" in answer:
        return ""
    return ", ".join([answer.replace("\\pm", sign) for sign in "-+"])


_REWRITES: Sequence[Callable[[str], str]] = (
    _of_integer(lambda n: f"{n}.0"),
    _of_integer(lambda n: f"\\frac{{{2 * n}}}{{2}}"),
    _of_integer(lambda n: f"{n:,}"),
    _of_integer(lambda n: f"x = {n}"),
    _of_integer(lambda n: f"{n} \\text{{ units}}"),
    _of_fraction(lambda value: f"{value.numerator}/{value.denominator}"),
    _of_fraction(lambda value: f"\\dfrac{{{3 * value.numerator}}}{{{3 * value.denominator}}}"),
    _of_fraction(_terminating),
    _reordered,
    _surd,
    _both_signs,
    lambda answer: answer.replace("^\\circ", " degrees"),
    lambda answer: answer.replace("^\\circ", "°"),
    lambda answer: answer.replace("\\frac", "\\dfrac"),
    lambda answer: (
        _FRACTION.sub(r"\1/\2", answer) if answer.count("\\frac") == 1 and answer.startswith("\\frac{") else ""
    ),
    lambda answer: re.sub(r"\\sqrt\{(\d)\}", r"\\sqrt\1", answer),
    lambda answer: re.sub(r"^\((.*)([)\]])$", r"\\left(\1\\right\2", answer),
    lambda answer: re.sub(r"\\(?:text|mbox)\{ ?([^}]*)\}", r"\1", answer),
    lambda answer: answer.replace("\\left", "").replace("\\right", ""),
    lambda answer: answer.replace(" ", "") if "text" not in answer and "\\" not in answer else "",
    lambda answer: re.sub(r"^[a-z] = ", "", answer) if re.match(r"^[a-z] ?= ?-?\d", answer) else "",
)
