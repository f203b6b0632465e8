"""The tokens of mathematical and other texts, as 64-bit hashes: what two texts must share to hold the same passage.

A token is a run of letters or a number; nothing else counts. So these light edits make no difference: case,
punctuation, white space, markup and the spacing of formulas (`2x`, `2 x`; `80,000`, `80000`; `x^2`, `x²`), while every
number does. An apostrophe within a word vanishes (`Ann's`, `Anns`). So do words by which LaTeX says how a thing looks,
wherever they stand: `\\frac{3}{4}` is `3/4`, `\\left(` is `(`. Signs of operation do not count, nor do their names
(`\\cdot`, `times`): who copies a passage rarely changes just those, and they are written in many ways.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.backend import kernels
from personastream.dedup.feature_arrays import TOKEN
from personastream.dedup.text import pack_symbols, pack_words
from personastream.dedup.words import Words

SILENT = (
    *("frac", "dfrac", "tfrac", "cfrac", "left", "right", "big", "bigl", "bigr", "displaystyle", "quad"),
    *("qquad", "text", "textbf", "textit", "textrm", "mathrm", "mathbf", "mathit", "mbox", "operatorname"),
    *("times", "cdot", "div", "pm", "le", "leq", "ge", "geq", "neq", "dots", "cdots", "ldots"),
)
"""Words that do not count: LaTeX's for how something looks, and for signs of operation."""


def hash_tokens(texts: Sequence[str]) -> Words:
    """The hashes of the tokens of each text, in order."""
    packed = pack_symbols(texts)
    return Words(*kernels().hash_tokens(packed.data, packed.begins, packed.ends, silent_hashes()))


def split_tokens(text: str) -> list[str]:
    """The tokens of a text, in order."""
    packed = pack_symbols([text])
    found = TOKEN.findall(packed.joined().lower())
    tokens = (token.translate(None, b"',").decode("utf-8", "replace") for token in found)
    return [token for token in tokens if token not in SILENT]


@cache
def silent_hashes() -> NDArray[np.uint64]:
    """The hashes of words that do not count."""
    return _hashes(SILENT)


@cache
def small_numbers() -> NDArray[np.uint64]:
    """The hashes of 0 to 99, which tell less than words do."""
    return _hashes([str(number) for number in range(100)])


def _hashes(words: Sequence[str]) -> NDArray[np.uint64]:
    packed = pack_words([" ".join(words)])
    return kernels().hash_words(packed.data, packed.begins, packed.ends)[0]
