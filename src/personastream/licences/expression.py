"""Licence expressions as SPDX writes them: ids, joined by AND and OR. One form for each, however it was written.

cc-by-nc-sa-4.0        CC-BY-NC-SA-4.0
llama3 and cc-by-4.0   LicenseRef-llama3 AND CC-BY-4.0
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TypeVar

from personastream.licences.facts import by_name
from personastream.records import NO_LICENCE

T = TypeVar("T")

CHARACTERS_MAX = 200
TERMS_MAX = 20

_WORD = re.compile(r"\(|\)|[^\s()]+")
_OPERATORS = frozenset({"and", "or", "with"})
_EXCEPTION = re.compile(r" WITH [^\s()]+")
_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9.-]+")
_SAYS_NOTHING = frozenset({"", "unknown", "none", "other", "null", "noassertion"})


@lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """The one form of an expression. Raises `ValueError` for what is none."""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    if len(text) > CHARACTERS_MAX:
        raise ValueError(f"of {len(text)} characters; at most {CHARACTERS_MAX} are read")
    words = _WORD.findall(text)
    if not words or (len(words) == 1 and words[0].lower() in _SAYS_NOTHING):
        return NO_LICENCE
    known = by_name()
    spdx = " ".join(known.get(word.lower(), word) for word in words)
    try:
        whole = canonicalize_license_expression(spdx)
    except InvalidLicenseExpression as error:
        raise ValueError("is neither an SPDX licence nor a known name") from error
    if sum(word.lower() in _OPERATORS for word in words) >= TERMS_MAX:
        raise ValueError(f"joins more than {TERMS_MAX} licences")
    return str(whole)


@lru_cache(maxsize=4096)
def of_data(text: str) -> str:
    """The licence that a column of a row names; one that nobody knows gets an id of its own."""
    try:
        return canonical(text)
    except ValueError:
        slug = _NOT_IN_IDS.sub("-", text[:CHARACTERS_MAX]).strip("-.")[:64]
        return f"LicenseRef-{slug}" if slug else NO_LICENCE


def ids(expression: str) -> list[str]:
    """The licences in an expression, in order, each once."""
    alone = _EXCEPTION.sub("", expression)
    words = (word for word in _WORD.findall(alone) if word not in "()" and word.lower() not in _OPERATORS)
    return list(dict.fromkeys(words))


def together(first: str, second: str) -> str:
    """The expression for what is made of two sources; "" stands for nothing. One that is unknown makes all unknown."""
    if not second or first == second:
        return first
    if NO_LICENCE in (first, second):
        return NO_LICENCE
    both = sorted(f"({each})" if " " in each else each for each in (first, second) if each)
    return " AND ".join(both)


def judged(expression: str, judge: Callable[[str], T | None]) -> T | None:
    """The first complaint about an expression: of joined licences all must do, of alternatives one."""
    return _either(iter([*_WORD.findall(expression), ""]), judge)[0]


def _either(words: Iterator[str], judge: Callable[[str], T | None]) -> tuple[T | None, str]:
    """(the complaint about alternatives, the word behind them)."""
    complaint, word = _both(words, judge)
    while word == "OR":
        other, word = _both(words, judge)
        complaint = None if other is None else complaint
    return complaint, word


def _both(words: Iterator[str], judge: Callable[[str], T | None]) -> tuple[T | None, str]:
    complaint, word = _one(words, judge)
    while word == "AND":
        other, word = _one(words, judge)
        complaint = other if complaint is None else complaint
    return complaint, word


def _one(words: Iterator[str], judge: Callable[[str], T | None]) -> tuple[T | None, str]:
    word = next(words)
    complaint = _either(words, judge)[0] if word == "(" else judge(word)
    word = next(words, "")
    if word == "WITH":
        next(words)
        word = next(words, "")
    return complaint, word
