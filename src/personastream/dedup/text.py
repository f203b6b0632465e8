"""What makes two texts the same: one normal form for exact comparison, words for near comparison.

Both rest on NFKC and full case folding, so case, width, ligatures and spacing never make a difference. The tables
are those of Python's own `unicodedata`.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Scripts written without spaces. A sentence in one of them would be a single word, so each letter, digit or mark is
# a word of its own: Thai, Lao; Myanmar; Khmer; Han and kana with their extensions; Myanmar extensions B and A.
_UNSPACED = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x2E80, 0x312F),
    (0x31A0, 0x31BF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xA9E0, 0xA9FF),
    (0xAA60, 0xAA7F),
    (0xF900, 0xFAFF),
    (0x1AFF0, 0x1B16F),
    (0x20000, 0x3FFFF),
)
_UNSPACED_FIRST = tuple(first for first, _ in _UNSPACED)
_VARIATION_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
_MEMO_ENTRIES_MAX = 65_536

# CPython puts combining marks into canonical order by insertion: quadratic in the length of a run of marks. A text
# longer than this many characters is normalised piece by piece, so that a hostile line costs linear time.
_NFKC_PIECE_CHARACTERS = 1024

_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_ASCII_WORDS = bytes(
    ord(chr(code).lower()) if chr(code).isalnum() or code == ord("\n") else ord(" ") for code in range(128)
) + bytes(range(128, 256))


def normalise(text: str) -> str:
    """The normal form of `text`: NFKC, case folded, each run of whitespace one space, none at the ends."""
    if text.isascii():
        return " ".join(text.lower().split())
    return " ".join(_fold(text).split())


def split_words(texts: Sequence[str]) -> tuple[list[bytes], NDArray[np.int64]]:
    """The words of all texts, in order, as UTF-8; and how many belong to each text.

    A word is a run of letters, digits and combining marks of the folded text; in scripts written without spaces
    each character is a word. Format characters (joiners, soft hyphens) and variation selectors do not count.
    """
    plain = [text if text.isascii() else _NOT_ASCII.sub(_space, _fold(text)) for text in texts]
    joined = "\n".join(["", *plain, ""])
    if joined.count("\n") > len(plain) + 1:
        joined = "\n".join(["", *(text.replace("\n", " ") for text in plain), ""])
    spaced = joined.encode().translate(_ASCII_WORDS)
    return spaced.split(), _count_words(spaced)


def is_unspaced(code: int) -> bool:
    """Whether the code point belongs to a script written without spaces."""
    place = bisect_right(_UNSPACED_FIRST, code) - 1
    return place >= 0 and code <= _UNSPACED[place][1]


def _count_words(spaced: bytes) -> NDArray[np.int64]:
    """Words of each line of `spaced`, each of which lies between two line feeds."""
    codes = np.frombuffer(spaced, np.uint8)
    in_word = codes > ord(" ")
    begins = (in_word[1:] > in_word[:-1]).nonzero()[0]
    line_feeds = (codes == ord("\n")).nonzero()[0]
    counts: NDArray[np.int64] = np.diff(np.searchsorted(begins, line_feeds))
    return counts


def _fold(text: str) -> str:
    if len(text) <= _NFKC_PIECE_CHARACTERS:
        return unicodedata.normalize("NFKC", text).casefold()
    starts = range(0, len(text), _NFKC_PIECE_CHARACTERS)
    pieces = (text[start : start + _NFKC_PIECE_CHARACTERS] for start in starts)
    return "".join(unicodedata.normalize("NFKC", piece) for piece in pieces).casefold()


def _space(run: re.Match[str]) -> str:
    return run[0].translate(_SPACING)


class _Spacing(dict[int, str]):
    """What stands for a code point between words, worked out on first sight."""

    def __missing__(self, code: int) -> str:
        spaced = self._space(code)
        if len(self) < _MEMO_ENTRIES_MAX:
            self[code] = spaced
        return spaced

    @staticmethod
    def _space(code: int) -> str:
        category = unicodedata.category(chr(code))
        if category == "Cf" or any(code in selectors for selectors in _VARIATION_SELECTORS):
            return ""
        if category[0] not in "LNM":
            return " "
        return f" {chr(code)} " if is_unspaced(code) else chr(code)


_SPACING = _Spacing()
