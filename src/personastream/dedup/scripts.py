"""Which characters are words, parts of words or between words."""

import re
import unicodedata
from bisect import bisect_right

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

_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")


def is_unspaced(code: int) -> bool:
    """Whether the code point belongs to a script written without spaces."""
    place = bisect_right(_UNSPACED_FIRST, code) - 1
    return place >= 0 and code <= _UNSPACED[place][1]


def is_variation_selector(code: int) -> bool:
    """Whether the code point only says which shape the character before it has."""
    return any(code in selectors for selectors in _VARIATION_SELECTORS)


def space_words(folded: str) -> str:
    """A folded text with spaces around words: what is no letter, digit or mark is a space, but for ASCII.

    In scripts written without spaces each character is a word. Format characters (joiners, soft hyphens) and
    variation selectors vanish.
    """
    return _NOT_ASCII.sub(_space, folded)


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
        if category == "Cf" or is_variation_selector(code):
            return ""
        if category[0] not in "LNM":
            return " "
        return f" {chr(code)} " if is_unspaced(code) else chr(code)


_SPACING = _Spacing()
