"""How long texts are, and in which scripts and languages they are written."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from random import Random
from typing import Any

from personastream.report.figures.statistics import histogram, shares, spread
from personastream.report.records import Item, Text

SCRIPTS_MAX = 8
LANGUAGES_MAX = 12
LANGUAGE_TEXTS_MAX = 1_000
LETTERS_LOOKED_AT = 1_000
NO_SCRIPT = "none"

_ASCII_LETTERS = re.compile("[A-Za-z]")
_SCRIPT_OF_WORD = {"CJK": "Han", "FULLWIDTH": "Latin", "HALFWIDTH": "Katakana", "MODIFIER": "", "MATHEMATICAL": "Latin"}


def length_figures(items: Sequence[Item]) -> dict[str, Any]:
    """Words and characters of what went in and of what came out."""
    given = [item.input for item in items if item.input is not None]
    made = [item.output for item in items]
    return {"inputs": _lengths(given), "outputs": _lengths(made)}


def _lengths(texts: Sequence[Text]) -> dict[str, Any] | None:
    if not texts:
        return None
    from personastream.dedup.text import split_words

    words: list[int] = split_words([text.text for text in texts])[1].tolist()
    return {name: _told(values) for name, values in (("words", words), ("characters", [t.characters for t in texts]))}


def _told(values: Sequence[int]) -> dict[str, Any]:
    return {"spread": spread(values), "histogram": histogram(values)}


def script_figures(texts: Sequence[str]) -> list[dict[str, Any]]:
    """In which script most letters of each text are."""
    found = Counter(script_of(text) for text in texts)
    return shares(found, SCRIPTS_MAX)


def script_of(text: str) -> str:
    """The script of most letters, by the names of the characters; `NO_SCRIPT` for a text without letters."""
    text = text[:LETTERS_LOOKED_AT]
    latin = len(_ASCII_LETTERS.findall(text))
    if text.isascii():
        return "Latin" if latin else NO_SCRIPT
    found = Counter(script for character in text if not character.isascii() and (script := _script(character)))
    found["Latin"] += latin
    script, letters = found.most_common(1)[0]
    if found["Hiragana"] + found["Katakana"] > 0 and script in ("Han", "Hiragana", "Katakana"):
        return "Japanese"
    return script if letters else NO_SCRIPT


@lru_cache(maxsize=1 << 16)
def _script(character: str) -> str:
    """The first word of a letter's Unicode name is its script; there are few exceptions."""
    if not character.isalpha():
        return ""
    word = unicodedata.name(character, "").partition(" ")[0]
    return _SCRIPT_OF_WORD.get(word, word.capitalize())


def language_figures(texts: Sequence[str], seed: int) -> dict[str, Any] | None:
    """A guess at the language of each text by py3langid, None where that is not installed. Short texts are guessed
    badly: languages in which next to no text seems to be are mostly such guesses.
    """
    texts = [text for text in texts if script_of(text) != NO_SCRIPT]
    if find_spec("py3langid") is None or not texts:
        return None
    import py3langid

    chosen = (
        texts if len(texts) <= LANGUAGE_TEXTS_MAX else Random(f"{seed}:languages").sample(texts, LANGUAGE_TEXTS_MAX)
    )
    found = Counter(str(py3langid.classify(text)[0]) for text in chosen)
    return {"texts": len(chosen), "languages": shares(found, LANGUAGES_MAX)}
