"""The beginning of a long text, cut where a reader would."""

import re
import unicodedata

_SENTENCE_END = re.compile(r"""[.!?…]["'”’»)\]]*(?=\s)|[。！？]["”’」』）]*|\n""")
_SPACE = re.compile(r"\s+")
_NEAR_CHARACTERS = 400
_JOINERS = "\u200d\ufe0e\ufe0f"
_MARKS_MAX = 64  # nobody's letter has more


def beginning(text: str, characters_max: int) -> str:
    """`text` up to `characters_max` characters: whole, or cut at the last sentence end, or else at the last word end.

    If neither lies in the second half of what fits, the cut is hard, but never between a letter and its marks.
    """
    text = text.strip()
    if len(text) <= characters_max:
        return text
    fits, half = text[: characters_max + 1], characters_max // 2
    for start in (max(half, characters_max - _NEAR_CHARACTERS), half):  # an end lies near, as a rule
        ends = [found.end() for found in _SENTENCE_END.finditer(fits, start) if found.end() <= characters_max]
        if ends:
            return fits[: ends[-1]].rstrip()
    spaces = [found.start() for found in _SPACE.finditer(fits, half)]
    if spaces:
        return fits[: spaces[-1]].rstrip()
    cut = characters_max
    while cut > max(1, characters_max - _MARKS_MAX) and _goes_on(text, cut):
        cut -= 1
    return text[:cut]


def _goes_on(text: str, place: int) -> bool:
    """Whether the character at `place` belongs to the one before."""
    return unicodedata.combining(text[place]) > 0 or text[place] in _JOINERS or text[place - 1] == "\u200d"
