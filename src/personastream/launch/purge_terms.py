"""What is to be purged, as people say it, and which records it means. Pure, but for the patterns of RE2."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

from personastream.core.own_words import foreign_words, foreign_words_of_letter
from personastream.core.where import Where
from personastream.dedup.text import normalise

OUTPUTS = ("synthesized text", "persona", "text", "problem")
"""Columns of what was made, besides `input …`, what it was made of."""
QUOTED = "second persona"
"""A column that repeats the text of another row."""

_LINEAGE = ("id", "meta.root", "meta.parent")

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Terms:
    """`ids` of rows and records, a condition on records, `phrases` in normal form: what any of them finds is meant."""

    ids: frozenset[str] = frozenset()
    where: Where | None = None
    phrases: tuple[str, ...] = ()

    def has_phrase(self, value: object) -> bool:
        """Whether a text in a value holds a phrase, whatever its case, width and spacing.

        Give it foreign words only: `math` is in the name of a template, not of anybody.
        """
        return bool(self.phrases) and any(map(self.is_said_in, strings(value)))

    def is_said_in(self, text: str) -> bool:
        """Whether a text holds a phrase."""
        normal = normalise(text)
        return any(phrase in normal for phrase in self.phrases)

    def texts_of(self, document: Document) -> Iterator[str]:
        """Texts to be told again by: those with a phrase, if that is why, else what was read and what was made."""
        words = foreign_words(document)
        if self.has_phrase(words):
            yield from filter(self.is_said_in, strings(words))
            return
        for key, value in document.items():
            if isinstance(value, str) and (key in OUTPUTS or key.startswith("input ")):
                yield value


def phrases_of(texts: Sequence[str]) -> tuple[str, ...]:
    """Phrases in normal form. Raises `ValueError` for one that is nothing but white space."""
    found = tuple(map(normalise, texts))
    if not all(found):
        raise ValueError("a phrase must hold more than white space")
    return found


def strings(value: object) -> Iterator[str]:
    """All texts in a JSON value, however deep."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list | tuple):
            waiting += one


def letter_document(letter: dict[str, Any]) -> dict[str, Any]:
    """A dead letter as conditions see it: like a record, and with what its response says in plain."""
    found = {**letter, "meta": {"origin": letter.get("origin", {})}}
    if (response := _response(letter)) is not None:
        found["response"] = [letter["response"], response]
    return found


def letter_words(letter: Document) -> list[object]:
    """What others wrote in a dead letter."""
    response = _response(letter)
    return foreign_words_of_letter(letter, letter.get("response") if response is None else response)


def _response(letter: Document) -> Any:
    """What the response says; None if it is no JSON."""
    with suppress(KeyError, ValueError, TypeError):
        return orjson.loads(letter["response"])
    return None


def ancestors(document: Document, *, plain: bool) -> Iterator[str]:
    """The ids of whatever a record was made of. One of a `plain` run is a copy, with the id of its original."""
    if plain and isinstance(own := document.get("id"), str):
        yield own
    meta = document.get("meta")
    if not isinstance(meta, dict):
        return
    yield from (value for key in ("root", "parent") if isinstance(value := meta.get(key), str))
    origin = meta.get("origin")
    if isinstance(origin, dict):
        yield from (value for key in _LINEAGE if isinstance(value := origin.get(key), str))
