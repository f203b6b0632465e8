"""Solutions in simulated replies: a problem has one true answer, a function of its text, which some miss. Pure.

What a problem asks is anybody's guess; here it is some arithmetic with the numbers that stand in it. Reasoning and
programs come to the same answer, written in many ways, and go wrong independently of one another.
"""

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

from personastream.core.answers import quick_verdict

REASONING, PROGRAM, JUDGEMENT = '"Answer:', "Python program", "Yes or No"
PROBLEM = "mathematics problem"
"""What the instructions of the shipped templates for solutions have in them."""

_NUMERAL = re.compile(r"\d{1,4}")
_SLIPS = 9_973
_BROKEN_SHARE = 8  # one in so many wrong programs raises an error


class Task(NamedTuple):
    """A kind of arithmetic: in words, in Python, and done."""

    words: str
    python: str
    value: Callable[[int, int, int], Fraction]


_TASKS: Sequence[Task] = (
    Task("the product of {a} and {b}, and then {c} more", "a * b + c", lambda a, b, c: Fraction(a * b + c)),
    Task("the sum of {a} and {b}, shared among {c}", "Fraction(a + b, c)", lambda a, b, c: Fraction(a + b, c)),
    Task("the product of {a} and {b}, less {c}", "a * b - c", lambda a, b, c: Fraction(a * b - c)),
    Task("the square of {a}, and {b} times {c}", "a**2 + b * c", lambda a, b, c: Fraction(a**2 + b * c)),
    Task("the ratio of {a} to {b}, and then {c} more", "Fraction(a, b) + c", lambda a, b, c: Fraction(a, b) + c),
)
_WHOLE = ("{v}", "${v}$", "\\boxed{{{v}}}", "{v:,}", "{v}.", "$\\frac{{{w}}}{{2}}$", "**{v}**", "{w}/2")
_BROKEN = (
    "{n}/{d}",
    "$\\frac{{{n}}}{{{d}}}$",
    "\\boxed{{\\dfrac{{{n}}}{{{d}}}}}",
    "$\\tfrac{{{m}}}{{{e}}}$",
    "{m}/{e}",
)
_STARTS = (
    "Let us first see what is known.",
    "The story can be put aside: only a few of its numbers matter.",
    "We write down the quantities and what ties them together.",
    "Reading the conditions in order leaves one unknown.",
)


class SolutionStock:
    """Solutions to problems: a share of `wrong` ones, by reasoning or, if that is `programs`, as a program."""

    def __init__(self, wrong: float, *, programs: bool) -> None:
        self._wrong = wrong * 2**32
        self._programs = programs

    def compose(self, persona: str, number: int, bytes_wanted: float) -> str:
        """A solution to the problem in `persona`, chosen by `number`."""
        task, numbers = _task(persona)
        slip = 1 + (number >> 40) % _SLIPS if number & 0xFFFFFFFF < self._wrong else 0
        a, b, c = numbers[0], numbers[1], numbers[2] + slip
        if self._programs:
            return _program(task, a, b, c, broken=slip > 0 and slip % _BROKEN_SHARE == 0)
        start = _STARTS[(number >> 52) % len(_STARTS)]
        value = task.value(a, b, c)
        return (
            f"{start}\n\nWhat is asked for is {task.words.format(a=a, b=b, c=c)}.\n"
            f"Step 1: set a = {a}, b = {b}, c = {c}.\nStep 2: {task.python} = {value}.\n\n"
            f"Answer: {written(value, number >> 34)}"
        )


class JudgementStock:
    """Says whether two answers, each on a line, are the same number or words."""

    def compose(self, persona: str, number: int, bytes_wanted: float) -> str:
        """Yes or No."""
        first, _, second = persona.partition("\n")
        return "Yes" if quick_verdict(first, second) == "equal" else "No"


def stock_for(instructions: str, wrong: float) -> SolutionStock | JudgementStock | None:
    """What writes replies to a prompt about a mathematics problem; None if it is about something else."""
    if PROBLEM not in instructions:
        return None
    if JUDGEMENT in instructions:
        return JudgementStock()
    if PROGRAM in instructions:
        return SolutionStock(wrong, programs=True)
    return SolutionStock(wrong, programs=False) if REASONING in instructions else None


def true_answer(problem: str) -> Fraction:
    """What replies that do not go wrong come to."""
    task, (a, b, c) = _task(problem)
    return task.value(a, b, c)


def written(value: Fraction, choice: int) -> str:
    """A number in one of many equivalent forms."""
    if value.denominator == 1:
        return _WHOLE[choice % len(_WHOLE)].format(v=value.numerator, w=2 * value.numerator)
    parts = {"n": value.numerator, "d": value.denominator, "m": 3 * value.numerator, "e": 3 * value.denominator}
    return _BROKEN[choice % len(_BROKEN)].format(**parts)


def _task(problem: str) -> tuple[Task, tuple[int, int, int]]:
    problem = " ".join(problem.split())
    key = xxh3_64_intdigest(problem.encode("utf-8", "replace"))
    numerals = [int(each) or 1 for each, _ in zip(_NUMERAL.findall(problem), range(3), strict=False)]
    filled = [*numerals, *(2 + (key >> shift) % 97 for shift in (8, 16, 24))]
    return _TASKS[key % len(_TASKS)], (filled[0], filled[1], filled[2])


def _program(task: Task, a: int, b: int, c: int, *, broken: bool) -> str:
    division = "0" if broken else "1"
    return (
        f"The numbers in the problem are all that is needed.\n\n```python\nfrom fractions import Fraction\n\n"
        f"a, b, c = {a}, {b}, {c}\nresult = {task.python}\nprint(Fraction(result) / {division})\n```"
    )
