"""Tables by which most characters are brought into form without a look at others.

A character that becomes one character by NFKC and case folding is looked up, as long as it cannot join or change
places with those around it. That would take a second character of a pair that is composed, behind one that may be the
first of such a pair; or marks that are not in canonical order (Unicode Standard, 3.11). Rows with such a place are
hard, and so are those with characters that unfold to several, jamo of Hangul, format and control characters beyond
ASCII, variation selectors, and all characters beyond the first 65,536: they are done one by one.
"""

import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.scripts import is_unspaced, is_variation_selector

# What a table holds for a character: in the low 16 bits its form, or `HARD`, and above them:
HARD = 0xFFFF
APART = 1 << 16  # it stands between spaces, as a word of its own
FIRST = 1 << 17  # one behind it may join with it
SECOND = 1 << 18  # it may join with one before it
MARK = 1 << 19  # it may change places with others
CLASS_SHIFT = 24  # above: the combining class in which it ends, by which marks are ordered

APOSTROPHE = "\u2019"
"""As typographers write it."""

_JAMO = frozenset((*range(0x1100, 0x1200), *range(0xA960, 0xA980), *range(0xD7B0, 0xD800)))
_SPACE = ord(" ")

Table = NDArray[np.uint32]
"""uint32[65536], by the number of a character."""
NO_TABLE: Table = np.empty(0, np.uint32)
"""For rows of ASCII alone."""


class Tables(NamedTuple):
    """The normal form; that for words, a space for all that belongs to none; and the same with typographic apostrophes.

    Loops leave ASCII as it is, but for its case: what is here of it is for others that become ASCII.
    """

    normal: Table
    words: Table
    symbols: Table


@cache
def tables() -> Tables:
    """All three. Made once, in some 0.2 s."""
    normal, words, symbols = ([HARD] * (HARD + 1) for _ in range(3))
    firsts, seconds = _composed()
    for code, character in enumerate(map(chr, range(HARD))):
        composed = unicodedata.normalize("NFKC", character)
        form = composed.casefold()
        if len(composed) != 1 or len(form) != 1 or form > "\uffff" or not (_is_easy(character) and _is_easy(composed)):
            continue
        parts = unicodedata.normalize("NFD", composed)
        number = ord(" " if form.isspace() else form)
        joins = unicodedata.combining(parts[-1]) << CLASS_SHIFT | (MARK if unicodedata.combining(composed) else 0)
        joins |= (SECOND if composed in seconds else 0) | (0 if firsts.isdisjoint(parts) else FIRST)
        normal[code] = number | joins
        if unicodedata.category(form)[0] in "LNM":
            words[code] = symbols[code] = number | joins | (APART if is_unspaced(number) else 0)
        else:
            words[code] = _SPACE | joins
            symbols[code] = (number if form.isascii() else _SPACE) | joins
    symbols[ord(APOSTROPHE)] = ord("'")
    return Tables(*(np.array(table, np.uint32) for table in (normal, words, symbols)))


def _composed() -> tuple[frozenset[str], frozenset[str]]:
    """Characters that are the first of a pair that is composed to one, and those that are the second."""
    pairs = [
        unicodedata.normalize("NFD", chr(code))[:1] + chr(int(parts[1], 16))
        for code in range(HARD)
        if len(parts := unicodedata.decomposition(chr(code)).split()) == 2
        and not parts[0].startswith("<")
        and unicodedata.is_normalized("NFC", chr(code))
    ]
    return frozenset(pair[0] for pair in pairs), frozenset(pair[1] for pair in pairs)


def _is_easy(character: str) -> bool:
    """Whether a character is one of those that are looked up, by its kind. A mark must be in no parts itself."""
    kind = unicodedata.category(character)[0]
    if kind == "M":
        return not unicodedata.decomposition(character) and not is_variation_selector(ord(character))
    return kind != "C" and ord(character) not in _JAMO
