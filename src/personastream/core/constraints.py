"""Constraints on a reply that a program can check, for instructions whose keeping can be verified. Pure.

Each kind has one sentence in plain words, values to choose from, and a check. Like the verifiable instructions of
IFEval (arXiv 2311.07911), but a list, words and checks of our own. A sentence is found again in any text that holds it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from personastream.core import constraint_checks as checks

COUNT_MAX = 3


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of constraint. `sentence` holds `{}` where a value belongs, if there are `values`.

    Two kinds go together unless one `uses` what the other `bars`. A `telling` one is broken by nearly every answer
    that knows nothing of it.
    """

    sentence: str
    keeps: Callable[[str, str], bool]
    values: Sequence[str] = ("",)
    uses: frozenset[str] = frozenset()
    bars: frozenset[str] = frozenset()
    telling: bool = True


class Constraint(NamedTuple):
    """One constraint: what kind it is, and with which value ("" for none)."""

    kind: str
    value: str = ""

    @property
    def sentence(self) -> str:
        """What it demands, in words."""
        before, _, after = KINDS[self.kind].sentence.partition("{}")
        return f"{before}{self.value}{after}"

    def kept_by(self, reply: str) -> bool:
        """Whether a reply does what it demands."""
        return KINDS[self.kind].keeps(reply.strip(), self.value)


def drawn(number: int, count: int | None = None) -> list[Constraint]:
    """One to three constraints that go together, by the digits of `number`; so many, if `count` says so."""
    number, more = divmod(number, COUNT_MAX)
    wanted, chosen = count or more + 1, list[Constraint]()
    while len(chosen) < wanted:
        free = [name for name in KINDS if all(_go_together(name, other.kind) for other in chosen)]
        number, place = divmod(number, len(free))
        values = KINDS[free[place]].values
        number, at = divmod(number, len(values))
        chosen.append(Constraint(free[place], values[at]))
    return chosen


def telling(constraints: Sequence[Constraint]) -> list[Constraint]:
    """Those that an answer breaks unless it was told of them."""
    return [constraint for constraint in constraints if KINDS[constraint.kind].telling]


def found_in(text: str) -> list[Constraint]:
    """The constraints whose sentences stand in a text, in their order there."""
    found = [
        (match.start(), Constraint(name, match[1] if KINDS[name].values != ("",) else ""))
        for name, pattern in _PATTERNS.items()
        for match in pattern.finditer(text)
    ]
    return [constraint for _, constraint in sorted(found)]


def broken(constraints: Sequence[Constraint], reply: str) -> list[Constraint]:
    """Those that a reply does not keep."""
    return [constraint for constraint in constraints if not constraint.kept_by(reply)]


def _go_together(one: str, other: str) -> bool:
    first, second = KINDS[one], KINDS[other]
    return one != other and not (first.uses & second.bars or second.uses & first.bars)


def _tags(words: str) -> frozenset[str]:
    return frozenset(words.split())


_WORDS = ("lantern", "harvest", "margin", "threshold", "compass", "ledger", "anchor", "orchard", "signal", "ballast")
_COMMON = ("very", "important", "always", "simply", "however", "never", "really", "ensure")

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "words_min": Kind(
            "Use at least {} words.", checks.words_min, ("80", "150", "250"), _tags("words latin"), telling=False
        ),
        "words_max": Kind(
            "Use at most {} words.", checks.words_max, ("40", "75", "120"), _tags("words latin"), _tags("words")
        ),
        "sentences_max": Kind(
            "Use at most {} sentences.", checks.sentences_max, ("2", "4", "6"), _tags("words"), _tags("words layout")
        ),
        "paragraphs": Kind(
            "Write exactly {} paragraphs, with an empty line between them.",
            checks.paragraphs,
            ("2", "3", "4"),
            _tags("layout"),
            _tags("layout"),
        ),
        "bullets": Kind(
            "Give exactly {} bullet points, each on a line that begins with a hyphen.",
            checks.bullets,
            ("3", "4", "5"),
            _tags("layout"),
            _tags("layout"),
        ),
        "numbered": Kind(
            "Number the points from 1 to {}, each on a line of its own.",
            checks.numbered,
            ("3", "4", "5"),
            _tags("layout"),
            _tags("layout"),
        ),
        "sections": Kind(
            'Divide the answer into {} parts that begin with "Part 1", "Part 2" and so on.',
            checks.sections,
            ("2", "3"),
            _tags("layout latin letters"),
            _tags("layout"),
        ),
        "two_answers": Kind(
            "Give two different answers, with a line of six asterisks between them.",
            checks.two_answers,
            uses=_tags("layout"),
            bars=_tags("layout ends"),
        ),
        "keyword": Kind('Use the word "{}" at least once.', checks.keyword, _WORDS, _tags("latin keyword")),
        "keyword_twice": Kind(
            'Use the word "{}" exactly twice.', checks.keyword_twice, _WORDS, _tags("latin"), _tags("keyword")
        ),
        "word_absent": Kind('Do not use the word "{}".', checks.word_absent, _COMMON, telling=False),
        "begins": Kind(
            'Begin with the words "{}".',
            checks.begins,
            ("In short", "As things stand", "To be frank"),
            _tags("begins latin letters"),
            _tags("begins layout"),
        ),
        "ends": Kind(
            'End with the words "{}" and nothing after them.',
            checks.ends,
            ("That is all.", "Over to you.", "Ask me again."),
            _tags("ends latin letters"),
            _tags("ends"),
        ),
        "postscript": Kind(
            'Add a postscript that begins with "P.S.".',
            checks.postscript,
            uses=_tags("ends layout letters"),
            bars=_tags("ends layout"),
        ),
        "lower_case": Kind(
            "Write everything in lower case.", checks.lower_case, uses=_tags("latin"), bars=_tags("letters")
        ),
        "upper_case": Kind(
            "Write everything in capital letters.",
            checks.upper_case,
            uses=_tags("latin letters"),
            bars=_tags("letters"),
        ),
        "no_commas": Kind("Do not use a single comma.", checks.no_commas, uses=_tags("commas")),
        "no_questions": Kind("Do not ask any question.", checks.no_questions, telling=False),
        "quoted": Kind(
            "Put the whole answer between double quotation marks.",
            checks.quoted,
            uses=_tags("begins ends"),
            bars=_tags("begins ends layout"),
        ),
        "placeholders": Kind(
            "Leave at least {} placeholders in square brackets, such as [date].", checks.placeholders, ("2", "3")
        ),
        "emphasis": Kind("Emphasise at least {} words or phrases with *asterisks*.", checks.emphasis, ("2", "3")),
        "json": Kind(
            "Answer with one JSON object and nothing else.",
            checks.is_json,
            uses=_tags("layout begins ends"),
            bars=_tags("layout begins ends letters commas words"),
        ),
        "script": Kind(
            "Answer in {}, and in no other language.",
            checks.in_script,
            tuple(checks.SCRIPTS),
            bars=_tags("latin"),
        ),
    }
)
"""By name. The order is part of what a seed means."""

_PATTERNS = {
    name: re.compile(re.escape(kind.sentence).replace(r"\{\}", f"({'|'.join(map(re.escape, kind.values))})"))
    for name, kind in KINDS.items()
}
