"""Which rule of quality a persona breaks, for whole batches: cheap signs first, patterns only where a sign is. Pure.

Rules look at form alone and hold in every language; words that give a model's talk away are listed for the languages
that models mostly talk in. A text breaks the first rule in the order of `RULES`.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personastream.core.markup import MARKUP
from personastream.core.quality_words import ANYWHERE, BEGINNINGS, CONTROL, MOJIBAKE, PHONE, REPEATED

RULES = (
    *("too_short", "too_long", "control_characters", "mojibake", "repeated_characters", "markup", "refusal"),
    *("preamble", "instructions", "contact_data", "list_residue", "not_a_persona", "first_person"),
)
_PLACE = {rule: place for place, rule in enumerate(RULES)}

WIDE = 3
"""Letters of an alphabet that a character of Chinese, Japanese or Korean counts for."""
_WIDE_FROM, _WIDE_TO = "\u2e80", "\uffee"
_ROWS_AT_ONCE = 512
"""What they need fits into the processor's cache."""
_SEPARATOR = b"\xff"  # in no UTF-8
_ARTICLES = ("A ", "An ", "a ", "an ")
"""With these most personas begin, and none of the patterns."""
_NO_ENDS = frozenset("?？:：")
_HEAD_CHARACTERS = 96
_AROUND = " \t\r\n\"'“”‘’«»「」"
_DIGITS_MIN = 9
_RUN = 6

Flags = NDArray[np.bool_]


def judge(texts: Sequence[str], rules: Collection[str], characters_min: int, characters_max: int) -> list[str]:
    """For each text the first of the `rules` that it breaks, or ""."""
    reasons = [""] * len(texts)
    for start in range(0, len(texts), _ROWS_AT_ONCE):
        found: dict[int, int] = {}
        some = texts[start : start + _ROWS_AT_ONCE]
        for row, rule in _broken(some, frozenset(rules), characters_min, characters_max):
            found[row] = min(found.get(row, len(RULES)), _PLACE[rule])
        for row, place in found.items():
            reasons[start + row] = RULES[place]
    return reasons


def _broken(
    texts: Sequence[str], rules: frozenset[str], characters_min: int, characters_max: int
) -> Iterator[tuple[int, str]]:
    """Rows and the rules that they break, in no order."""
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    blob = _SEPARATOR.join([*encoded, b""])
    ends = np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)) + 1)
    found = chain(
        _by_length(texts, characters_min, characters_max),
        _by_beginning(texts, rules),
        _by_end(texts),
        _by_sign(texts, blob.lower(), ends.tolist(), rules),
        _by_bytes(texts, np.frombuffer(blob, np.uint8), ends),
    )
    return (each for each in found if each[1] in rules)


def _by_length(texts: Sequence[str], characters_min: int, characters_max: int) -> Iterator[tuple[int, str]]:
    for row, text in enumerate(texts):
        if len(text) > characters_max:
            yield row, "too_long"
        elif len(text) < characters_min and _width(text.strip()) < characters_min:
            yield row, "too_short"


def _width(text: str) -> int:
    return len(text) + (WIDE - 1) * sum(_WIDE_FROM <= character <= _WIDE_TO for character in text)


def _by_beginning(texts: Sequence[str], rules: frozenset[str]) -> Iterator[tuple[int, str]]:
    patterns = [(rule, pattern) for rule, pattern in BEGINNINGS.items() if rule in rules]
    for row, text in enumerate(texts):
        if text.startswith(_ARTICLES):
            continue
        head = text[:_HEAD_CHARACTERS].lstrip(_AROUND).lower()
        for rule, pattern in patterns:
            if pattern.match(head):
                yield row, rule


def _by_end(texts: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Questions and headings are no personas."""
    for row, text in enumerate(texts):
        if text.rstrip()[-1:] in _NO_ENDS:
            yield row, "not_a_persona"


def _by_sign(
    texts: Sequence[str], blob: bytes, ends: Sequence[int], rules: frozenset[str]
) -> Iterator[tuple[int, str]]:
    """By what stands anywhere; a sign is looked for in all texts at once."""
    for sign, (rule, pattern) in ANYWHERE.items():
        at = blob.find(sign) if rule in rules else -1
        while at >= 0:
            row = bisect_right(ends, at)
            if pattern.search(texts[row].lower()):
                yield row, rule
            at = blob.find(sign, ends[row])


def _by_bytes(texts: Sequence[str], data: NDArray[np.uint8], ends: NDArray[np.int64]) -> Iterator[tuple[int, str]]:
    """By which bytes a text has; what is not ASCII is looked at closer."""
    starts = np.concatenate(([0], ends[:-1])).astype(np.int64)
    classes = _CLASSES[data]
    held = np.bitwise_or.reduceat(classes, starts)
    letters = _count(classes & _LETTER, starts)
    for row in np.flatnonzero(2 * letters < ends - 1 - starts - _count(classes & _SPACE, starts)).tolist():
        yield row, "not_a_persona"
    for row in np.flatnonzero(held & (_FOREIGN | _CONTROL)).tolist():
        if CONTROL.search(texts[row]):
            yield row, "control_characters"
        if MOJIBAKE.search(texts[row]):
            yield row, "mojibake"
    repeating = np.searchsorted(ends, np.flatnonzero(_runs(data)), "right").tolist()
    for row in sorted({*np.flatnonzero(held & _FOREIGN).tolist(), *repeating}):
        if REPEATED.search(texts[row]):
            yield row, "repeated_characters"
    for row in np.flatnonzero(held & _BRACKET).tolist():
        if MARKUP.search(texts[row]):
            yield row, "markup"
    digits = np.bincount(np.searchsorted(ends, np.flatnonzero(classes & _DIGIT), "right"), minlength=1)
    for row in np.flatnonzero(digits >= _DIGITS_MIN).tolist():
        if PHONE.search(texts[row]):
            yield row, "contact_data"


def _count(flags: NDArray[np.integer[Any]], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many bytes of each text have a flag."""
    counts: NDArray[np.int64] = np.add.reduceat(flags != 0, starts, dtype=np.int64)
    return counts


def _runs(data: NDArray[np.uint8]) -> Flags:
    """Where the last of `_RUN` equal bytes stands."""
    same = np.concatenate(([False], data[1:] == data[:-1]))
    run = same.copy()
    for back in range(1, _RUN - 1):
        run[back:] &= same[:-back]
        run[:back] = False
    return run


def _classes() -> NDArray[np.uint8]:
    table = np.zeros(256, np.uint8)
    table[128:255] = _FOREIGN | _LETTER
    for low, high, flag in (("a", "z", _LETTER), ("A", "Z", _LETTER), ("0", "9", _DIGIT)):
        table[ord(low) : ord(high) + 1] |= flag
    table[[*range(9), 11, 12, *range(14, 32), 127]] |= _CONTROL
    table[[9, 10, 13, 32]] |= _SPACE
    table[[ord("<"), ord("[")]] |= _BRACKET
    return table


_LETTER, _DIGIT, _SPACE, _CONTROL, _BRACKET, _FOREIGN = (1 << bit for bit in range(6))
_CLASSES = _classes()
