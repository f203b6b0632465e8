"""Rows with planted duplicates: personas from a small grammar of our own, some of them copies of an earlier row.

    rows = planted(100_000, seed=1, shape="medium")
    rows.texts, rows.origins, rows.kinds      # origin: the row it was made from, itself if it is fresh

Shapes: `short` about 14 words, `medium` about 26, `mixed` short rows of which half are in ten other languages, among
them scripts without spaces. One row in five is planted, of each kind equally often; `KINDS` says which there are.
"""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

Words = list[str]
Edit = Callable[[Random, Words], Words]

PLANTED_SHARE = 0.2
LATEST = 50_000  # a copy is made from one of so many rows before it

_GRAMMAR = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


def _options(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (option.strip() for option in text.replace("\n", "|").split("|"))))


TRAITS, ROLES, TOWNS, VERBS, THINGS, MANNERS, AIMS = (
    _options(_GRAMMAR["english"][name]) for name in ("traits", "roles", "towns", "verbs", "things", "manners", "aims")
)
FUNCTION_WORDS: dict[str, str] = _GRAMMAR["english"]["function_words"]
OTHERS = tuple((str(other["joiner"]), tuple(map(_options, other["slots"]))) for other in _GRAMMAR["other"])


@dataclass(frozen=True, slots=True)
class Planted:
    """Rows, the earlier row that each was made from (its own number: none), and how ("fresh": not at all)."""

    texts: list[str]
    origins: list[int]
    kinds: list[str]


def planted(rows: int, seed: int, shape: str = "medium") -> Planted:
    """That many rows of a shape."""
    random, make = Random(f"{shape} {seed}"), SHAPES[shape]
    made = Planted([], [], [])
    parts: list[tuple[str, Words]] = []
    names = list(KINDS)
    for number in range(rows):
        if number and random.random() < PLANTED_SHARE:
            kind, origin = random.choice(names), random.randrange(max(0, number - LATEST), number)
            joiner, words = parts[origin]
            words = KINDS[kind](random, words.copy())
        else:
            kind, origin = "fresh", number
            joiner, words = make(random)
        parts.append((joiner, words))
        made.texts.append(joiner.join(words))
        made.origins.append(origin)
        made.kinds.append(kind)
    return made


def _short(random: Random) -> tuple[str, Words]:
    pick = random.choice
    person = f"A {pick(TRAITS)} {pick(ROLES)} in {pick(TOWNS)}"
    return " ", f"{person} who {pick(VERBS)} {pick(TRAITS)} {pick(THINGS)} {pick(MANNERS)}".split()


def _medium(random: Random) -> tuple[str, Words]:
    pick = random.choice
    more = f"and {pick(AIMS)} {pick(THINGS)} near {pick(TOWNS)}, where the {pick(ROLES)} {pick(VERBS)} {pick(THINGS)}"
    return " ", f"{' '.join(_short(random)[1])}, {more} {pick(MANNERS)}".split()


def _mixed(random: Random) -> tuple[str, Words]:
    if random.random() < 1 / 2:
        return _short(random)
    joiner, slots = random.choice(OTHERS)
    chosen = [random.choice(slot) for slot in slots]
    serial = random.choice(TOWNS), str(random.randrange(1000, 10_000))  # the grammars are small
    return joiner, [*chosen, *serial] if joiner else [*chosen, " ".join(("", *serial))]


def _exact(_: Random, words: Words) -> Words:
    return words


def _case(random: Random, words: Words) -> Words:
    place = random.randrange(len(words))
    words[place] = random.choice((words[place].upper(), f"{words[place]},", f"({words[place]})", f"{words[place]}!"))
    return words


def _swap(random: Random, words: Words) -> Words:
    place = random.randrange(len(words) - 1)
    words[place], words[place + 1] = words[place + 1], words[place]
    return words


def _reorder(random: Random, words: Words) -> Words:
    place = random.randrange(1, len(words))
    return words[place:] + words[:place]


def _substitution(random: Random, words: Words) -> Words:
    words[random.randrange(len(words))] = random.choice(THINGS)
    return words


def _deletion(random: Random, words: Words) -> Words:
    del words[random.randrange(len(words))]
    return words


def _insertion(random: Random, words: Words) -> Words:
    words.insert(random.randrange(len(words) + 1), random.choice(TRAITS))
    return words


def _typo(random: Random, words: Words) -> Words:
    place = max(random.sample(range(len(words)), 2), key=lambda place: len(words[place]))
    letters, at = list(words[place]), random.randrange(max(1, len(words[place]) - 1))
    letters[at : at + 2] = reversed(letters[at : at + 2])
    words[place] = "".join(letters)
    return words


def _paraphrase(random: Random, words: Words) -> Words:
    places = [place for place, word in enumerate(words) if word in FUNCTION_WORDS]
    for place in random.sample(places, min(len(places), random.randrange(1, 3))):
        words[place] = FUNCTION_WORDS[words[place]]
    return words


SHAPES: dict[str, Callable[[Random], tuple[str, Words]]] = {"short": _short, "medium": _medium, "mixed": _mixed}
KINDS: dict[str, Edit] = {
    "exact": _exact,
    "case": _case,
    "swap": _swap,
    "reorder": _reorder,
    "substitution": _substitution,
    "deletion": _deletion,
    "insertion": _insertion,
    "typo": _typo,
    "paraphrase": _paraphrase,
}
