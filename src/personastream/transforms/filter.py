"""Drops rows that are no usable persona text, by rules that hold in every language. Each rule is a drop reason."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, pairwise

import numpy as np

from personastream.core.markup import MARKUP
from personastream.dedup import is_unspaced, split_words
from personastream.records import Batch
from personastream.settings import setting

Words = Sequence[bytes]
Breaks = Callable[[str, Words], bool]

_REPEATED_WORDS_MIN = 8

# C0, DEL and C1 without tab, line feed and carriage return.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Filter:
    """Length limits and quality rules; a row is dropped for the first rule it breaks, in the order given here.

    Words are those of `split_words`; in scripts written without spaces each character is a word, of which two count
    as one for `words_max`. A rule is switched off by `false`, a length limit by a value out of reach.
    """

    characters_max: int = setting("Longest text, in characters; reason too_long.", default=2000, minimum=1)
    control_characters: bool = setting(
        "Drop texts with control characters other than tab, line feed and carriage return.", default=True
    )
    replacement_characters: bool = setting("Drop texts with U+FFFD, which stands where decoding failed.", default=True)
    url_or_markup: bool = setting(
        "Drop texts with a web address, an HTML tag or a control token of a chat template.", default=True
    )
    mostly_symbols: bool = setting(
        "Drop texts of which, spaces apart, less than half is letters, digits and their marks.", default=True
    )
    words_min: int = setting("Fewest words; reason too_short.", default=3, minimum=0)
    words_max: int = setting("Most words; reason too_long.", default=200, minimum=1)
    repeated: bool = setting("Drop texts of 8 words or more of which over half are the same word.", default=True)

    def __call__(self, batch: Batch) -> Batch:
        batch = batch.keep([len(text) <= self.characters_max for text in batch.texts], "too_long")
        reasons = self._judge(batch.texts)
        for reason in dict.fromkeys(filter(None, reasons)):
            mask = [other != reason for other in reasons]
            batch = batch.keep(mask, reason)
            reasons = list(compress(reasons, mask))
        return batch

    def _judge(self, texts: Sequence[str]) -> list[str]:
        """For each text the reason to drop it, or nothing."""
        words, counts = split_words(texts)
        spans = pairwise([0, *np.cumsum(counts).tolist()])
        rules = tuple(self._rules())
        return [
            next((reason for reason, breaks in rules if breaks(text, words[start:end])), "")
            for text, (start, end) in zip(texts, spans, strict=True)
        ]

    def _rules(self) -> Iterator[tuple[str, Breaks]]:
        if self.control_characters:
            yield "control_characters", _has_control_characters
        if self.replacement_characters:
            yield "replacement_characters", lambda text, _: "\ufffd" in text
        if self.url_or_markup:
            yield "url_or_markup", _has_markup
        if self.mostly_symbols:
            yield "mostly_symbols", _is_mostly_symbols
        yield "too_short", lambda _, words: len(words) < self.words_min
        yield "too_long", lambda _, words: len(words) > self.words_max and _spaced_size(words) > self.words_max
        if self.repeated:
            yield "repeated", _is_repeated


def _has_control_characters(text: str, _: Words) -> bool:
    return not text.isprintable() and _CONTROL.search(text) is not None


def _has_markup(text: str, _: Words) -> bool:
    return ("<" in text or "[" in text or "://" in text) and MARKUP.search(text) is not None


def _is_mostly_symbols(text: str, words: Words) -> bool:
    if text.isascii():
        letters = sum(map(len, words))
    else:
        letters = sum(unicodedata.category(character)[0] in "LNM" for character in text)
    return 2 * letters < len(text) and 2 * letters < len("".join(text.split()))


def _spaced_size(words: Words) -> float:
    """How many words there would be if two characters of a script without spaces made one."""
    unspaced = sum(is_unspaced(ord(word.decode()[0])) for word in words)
    return len(words) - unspaced / 2


def _is_repeated(_: str, words: Words) -> bool:
    if len(words) < _REPEATED_WORDS_MIN or 2 * (len(set(words)) - 1) >= len(words):
        return False  # the commonest word takes at most the places the others leave
    return 2 * max(Counter(words).values()) > len(words)
