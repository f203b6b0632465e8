"""Texts in any script brought into form in bulk, by tables of the characters that need no look at their neighbours.

Most characters have a normal form (NFKC, case folded) of one character that never joins with one beside it. Rows made
of such characters are looked up all at once. Rows with any other (marks, format and control characters, Hangul jamo,
characters that unfold to several, all beyond the first 65,536) are told to the caller.

Rows are returned as their UTF-8 with one character for each byte: joining and encoding such rows is copying.
"""

import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.scripts import is_unspaced

_PLANE = 1 << 16
_HARD = _PLANE - 1  # no character has this number
_JAMO = (range(0x1100, 0x1200), range(0xA960, 0xA980), range(0xD7B0, 0xD800))
_SPACE, _LINE_FEED = ord(" "), ord("\n")

_CODED = "utf-32-le"

APOSTROPHE = "\u2019"
"""As typographers write it."""


class _Tables(NamedTuple):
    """By character number: its normal form, or `_HARD`; the same for words, without and with the symbols of ASCII;
    and how many places it takes, as a word and as what it is.
    """

    normal: NDArray[np.uint32]
    worded: NDArray[np.uint32]
    with_symbols: NDArray[np.uint32]
    places: NDArray[np.uint8]
    one_place: NDArray[np.uint8]


Tables = tuple[NDArray[np.uint32], NDArray[np.uint8]]
"""By character number: what it becomes, or 65,535; and how many places it takes, itself and spaces around it."""


def normal_tables() -> Tables:
    """For `normal_forms`."""
    return _tables().normal, _tables().one_place


def word_tables() -> Tables:
    """For `word_forms`."""
    return _tables().worded, _tables().places


def symbol_tables() -> Tables:
    """For `word_forms` with symbols."""
    return _tables().with_symbols, _tables().places


def normal_forms(texts: list[str]) -> tuple[list[str], list[int]]:
    """The normal form of each text, but for whitespace: each one a space; and which rows are not to be used."""
    codes, ends = _codes(texts)
    return _rows(_tables().normal[codes], ends)


def word_forms(texts: list[str], *, symbols: bool = False) -> tuple[list[str], list[int]]:
    """The words of each text, normal and with spaces between them; and which rows are not to be used.

    With `symbols` those of ASCII stay where they are, and a typographic apostrophe is a plain one.
    """
    codes, ends = _codes(texts)
    tables = _tables()
    places = tables.places[codes]
    behind = np.cumsum(places, dtype=np.int64)
    spread = np.repeat((tables.with_symbols if symbols else tables.worded)[codes], places)
    alone = behind[places == 3]
    spread[alone - 1] = spread[alone - 3] = _SPACE
    return _rows(spread, behind[ends] - 1)


def _codes(texts: list[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The numbers of all characters, a line feed after each row, and where those line feeds are."""
    joined = "\n".join([*texts, ""]).encode(_CODED, "surrogatepass")
    sizes = np.fromiter(map(len, texts), np.int64, len(texts))
    return np.minimum(np.frombuffer(joined, "<u4"), _HARD), np.cumsum(sizes + 1) - 1


def _rows(codes: NDArray[np.uint32], ends: NDArray[np.int64]) -> tuple[list[str], list[int]]:
    codes[ends] = _LINE_FEED
    hard = np.unique(np.searchsorted(ends, (codes == _HARD).nonzero()[0])).tolist()
    text = codes.astype("<u4", copy=False).tobytes().decode(_CODED)
    return text.encode().decode("latin-1").split("\n")[:-1], hard


@cache
def _tables() -> _Tables:
    normal = np.full(_PLANE, _HARD, np.uint32)
    worded = np.full(_PLANE, _HARD, np.uint32)
    with_symbols = np.full(_PLANE, _HARD, np.uint32)
    places = np.ones(_PLANE, np.uint8)
    for code in range(_HARD):
        folded = _alone(chr(code))
        if folded:
            is_word = unicodedata.category(folded)[0] in "LNM"
            normal[code] = _SPACE if folded.isspace() else ord(folded)
            worded[code] = ord(folded) if is_word else _SPACE
            with_symbols[code] = normal[code] if is_word or folded.isascii() else _SPACE
            places[code] = 3 if is_word and is_unspaced(ord(folded)) else 1
    with_symbols[ord(APOSTROPHE)] = ord("'")
    return _Tables(normal, worded, with_symbols, places, np.ones(_PLANE, np.uint8))


def _alone(character: str) -> str:
    """Its normal form, if that is one character and stays the same beside any others; else nothing."""
    composed = unicodedata.normalize("NFKC", character)
    folded = composed.casefold()
    if len(composed) != 1 or len(folded) != 1 or not (_is_inert(character) and _is_inert(composed)):
        return ""
    return folded


def _is_inert(character: str) -> bool:
    """Whether it never joins with a character before it. Marks may; so may, of all others, the jamo of Hangul."""
    return unicodedata.category(character)[0] not in "MC" and not any(ord(character) in jamo for jamo in _JAMO)
