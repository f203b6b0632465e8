"""What makes two texts the same: one normal form for exact comparison, words for near comparison.

Both rest on NFKC and full case folding, so case, width, ligatures and spacing never make a difference. The tables
are those of Python's own `unicodedata`.
"""

import unicodedata
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.backend import Formed, are_loaded, kernels
from personastream.dedup.fold import APOSTROPHE, NO_TABLE, Table, tables
from personastream.dedup.scripts import space_words
from personastream.packed import PADDING, Packed, Texts

# CPython puts combining marks into canonical order by insertion: quadratic in the length of a run of marks. A text
# longer than this many characters is normalised piece by piece, so that a hostile line costs linear time.
_NFKC_PIECE_CHARACTERS = 1024

STEP_ROWS = 2048
"""Rows to work on at a time where there is a choice: what is packed of them stays in the cache."""

_PADDING = PADDING.decode()
_LINE_FEED = 10
_ASCII_WORDS = bytes(ord(chr(code).lower()) if chr(code).isalnum() else ord(" ") for code in range(128)) + bytes(
    range(128, 256)
)


def pack_texts(texts: Sequence[str]) -> Packed:
    """UTF-8 of all texts. A lone surrogate is encoded as if it were a character."""
    if isinstance(texts, Texts):
        return texts.packed
    data = np.frombuffer(as_bytes("\n".join([*texts, _PADDING])), np.uint8)
    ends = _line_ends(data, len(texts))
    if len(ends) != len(texts):  # some hold line feeds themselves
        return Packed.of([*map(as_bytes, texts)])
    return Packed(data, np.append(0, ends + 1)[:-1], ends)


def _line_ends(data: NDArray[np.uint8], lines: int) -> NDArray[np.int64]:
    """Where lines end, of more than so many only some. No loops are loaded for it, but those that are run faster."""
    if are_loaded():
        from personastream.dedup.fold_kernels import line_ends

        return line_ends(data, lines)
    ends: NDArray[np.int64] = (data == _LINE_FEED).nonzero()[0]
    return ends


def as_bytes(text: str) -> bytes:
    """UTF-8 of a text. A lone surrogate is encoded as if it were a character."""
    return text.encode("utf-8", "surrogatepass")


def pack_words(texts: Sequence[str]) -> Packed:
    """UTF-8 of all texts, in which a word is a longest run of ASCII letters, digits and bytes from 128 on.

    ASCII stays as it is, so its letters may have either case. All else is folded; what belongs to no word is a space
    there, and words of one character in scripts written without spaces stand apart.
    """
    return _words(texts, "words", lambda text: space_words(_fold(text)))


def pack_symbols(texts: Sequence[str]) -> Packed:
    """As `pack_words`, but a typographic apostrophe is a plain one."""
    return _words(texts, "symbols", lambda text: space_words(_fold(text).replace(APOSTROPHE, "'")))


def normal_rows(texts: Sequence[str]) -> Packed:
    """UTF-8 of the normal form of each text. A lone surrogate is encoded as if it were a character."""
    packed = pack_texts(texts)
    formed = kernels().normal_rows(packed.data, packed.begins, packed.ends, table_for(packed, "normal"))
    return _completed(formed, texts, normalise)


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
    packed = pack_words(texts)
    words = packed.joined().translate(_ASCII_WORDS)
    in_word = np.frombuffer(words, np.uint8) > ord(" ")
    begins = (in_word & ~np.append(False, in_word[:-1])).nonzero()[0]
    starts = np.append(0, np.cumsum(packed.ends - packed.begins + 1))
    return words.split(), np.diff(np.searchsorted(begins, starts))


def table_for(packed: Packed, kind: Literal["normal", "words", "symbols"]) -> Table:
    """The table of a kind; none if no row needs one: it takes a while to make."""
    if packed.data.max() < 128:
        return NO_TABLE
    table: Table = getattr(tables(), kind)
    return table


def _words(texts: Sequence[str], kind: Literal["words", "symbols"], alone: Callable[[str], str]) -> Packed:
    """ASCII texts as they are, others brought into form."""
    packed = pack_texts(texts)
    table = table_for(packed, kind)
    if table is NO_TABLE:
        return packed
    return _completed(kernels().form_rows(packed.data, packed.begins, packed.ends, table), texts, alone)


def _completed(formed: Formed, texts: Sequence[str], alone: Callable[[str], str]) -> Packed:
    """Formed rows; those that were left out are brought into form one by one."""
    data, begins, ends, left = formed
    data.flags.writeable = False  # as all packed data is: for other data, loops would be compiled once more
    hard = left.nonzero()[0]
    rows = [as_bytes(alone(texts[place])) for place in hard.tolist()]
    return Packed(data, begins, ends).replaced(hard, rows)


def _fold(text: str) -> str:
    if len(text) <= _NFKC_PIECE_CHARACTERS:
        return unicodedata.normalize("NFKC", text).casefold()
    starts = range(0, len(text), _NFKC_PIECE_CHARACTERS)
    pieces = (text[start : start + _NFKC_PIECE_CHARACTERS] for start in starts)
    return "".join(unicodedata.normalize("NFKC", piece) for piece in pieces).casefold()
