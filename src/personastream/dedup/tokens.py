"""The tokens of mathematical and other texts, as 64-bit hashes: what two texts must share to hold the same passage.

A token is a run of letters, or a single digit; nothing else counts. So these light edits make no difference: case,
punctuation, white space, markup and the spacing of formulas (`2x`, `2 x`; `80,000`, `80000`; `x^2`, `x²`), while every
digit does. An apostrophe within a word vanishes (`Ann's`, `Anns`). So do words by which LaTeX says how a thing looks,
wherever they stand: `\\frac{3}{4}` is `3/4`, `\\left(` is `(`. Signs of operation do not count, nor do their names
(`\\cdot`, `times`): who copies a passage rarely changes just those, and they are written in many ways.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.backend import kernels
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
    return Words(*kernels().hash_tokens(packed.data, packed.starts, *known_hashes()))


@cache
def known_hashes() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The hashes of the digits 0 to 9, and of words that do not count."""
    digits, silent = (pack_words([" ".join(words)]) for words in ("0123456789", SILENT))
    return kernels().hash_words(digits.data, digits.starts)[0], kernels().hash_words(silent.data, silent.starts)[0]
