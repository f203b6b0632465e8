"""What makes two texts the same: one normal form for exact comparison, words for near comparison.

Both rest on NFKC and full case folding, so case, width, ligatures and spacing never make a difference. The tables
are those of Python's own `unicodedata`.
"""

import unicodedata
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.backend import kernels
from personastream.dedup.fold import (
    APOSTROPHE,
    Tables,
    normal_forms,
    normal_tables,
    symbol_tables,
    word_forms,
    word_tables,
)
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

Bulk = Callable[[list[str]], tuple[list[str], list[int]]]
Alone = Callable[[str], str]


def pack_words(texts: Sequence[str]) -> Packed:
    """UTF-8 of all texts, in which a word is a longest run of ASCII letters, digits and bytes from 128 on.

    ASCII texts stay as they are, so their letters may have either case. Others are folded; what belongs to no word
    is a space there, and words of one character in scripts written without spaces stand apart.
    """
    return _packed(texts, word_tables, word_forms, lambda text: space_words(_fold(text)))


def pack_symbols(texts: Sequence[str]) -> Packed:
    """As `pack_words`, but symbols of ASCII stay in texts of every kind, a typographic apostrophe as a plain one."""
    return _packed(texts, symbol_tables, partial(word_forms, symbols=True), _with_symbols)


def pack_texts(texts: Sequence[str]) -> Packed:
    """UTF-8 of all texts. ASCII texts stay as they are; others have their normal form, but for runs of spaces.

    A lone surrogate is encoded as if it were a character.
    """
    return _packed(texts, normal_tables, normal_forms, normalise)


def normal_rows(texts: Sequence[str]) -> list[bytes]:
    """UTF-8 of the normal form of each text. A lone surrogate is encoded as if it were a character."""
    rows = _ascii_apart(texts, normal_forms, normalise)
    for row in _oddly_spaced(_pack(rows)):
        rows[row] = _as_bytes(normalise(texts[row]))
    return "\n".join(rows).encode("latin-1").lower().split(b"\n")[: len(rows)]


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


def _packed(texts: Sequence[str], tables: Callable[[], Tables], together: Bulk, alone: Alone) -> Packed:
    """ASCII texts as they are, others brought into form; of packed ones, those that are hard are unpacked."""
    if not isinstance(texts, Texts):
        return _pack_ascii(texts) or _pack(_ascii_apart(texts, together, alone))
    packed = texts.packed
    if packed.data.max() < 128:
        return packed
    data, begins, ends, left = kernels().form_rows(packed.data, packed.begins, packed.ends, *tables())
    data.flags.writeable = False  # as all packed data is: for other data, loops would be compiled once more
    hard = left.nonzero()[0]
    rows = _formed([texts[place] for place in hard.tolist()], together, alone) if len(hard) else []
    return Packed(data, begins, ends).replaced(hard, [row.encode("latin-1") for row in rows])


def _pack_ascii(texts: Sequence[str]) -> Packed | None:
    """Texts that are all of ASCII and a line each, packed at once; else none."""
    if not all(map(str.isascii, texts)):  # else a few rows would make all characters two or four bytes wide
        return None
    packed = Packed.of_lines("\n".join([*texts, ""]).encode("ascii"))
    return packed if len(packed) == len(texts) else None


def _pack(rows: list[str]) -> Packed:
    """Pack rows that hold one character for each byte."""
    behind = np.cumsum(np.fromiter(map(len, rows), np.int64, len(rows)) + 1)
    data = "\n".join([*rows, _PADDING]).encode("latin-1")
    return Packed(np.frombuffer(data, np.uint8), np.append(0, behind)[:-1], behind - 1)


def _ascii_apart(texts: Sequence[str], together: Bulk, alone: Alone) -> list[str]:
    """ASCII texts as they are, others brought into form."""
    rows = list(texts)
    others = [row for row, text in enumerate(rows) if not text.isascii()]
    if others:
        formed = _formed([rows[row] for row in others], together, alone)
        for row, text in zip(others, formed, strict=True):
            rows[row] = text
    return rows


def _formed(texts: list[str], together: Bulk, alone: Alone) -> list[str]:
    """Texts brought into form: in bulk where that goes, else one by one."""
    formed, hard = together(texts)
    for place in hard:
        formed[place] = _as_bytes(alone(texts[place]))
    return formed


def _as_bytes(text: str) -> str:
    """The UTF-8 of `text` as characters of one byte, which are joined and encoded by copying them."""
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def _oddly_spaced(packed: Packed) -> list[int]:
    """Rows that hold a control character or two spaces in a row, or begin or end with a space."""
    data = packed.data[: -len(PADDING)]
    odd = data < ord(" ")
    odd[packed.ends] = False
    spacing = data <= ord(" ")
    odd[1:] |= spacing[1:] & spacing[:-1]
    odd[:1] |= spacing[:1]
    rows: list[int] = np.unique(np.searchsorted(packed.begins, odd.nonzero()[0], "right") - 1).tolist()
    return rows


def _with_symbols(text: str) -> str:
    return space_words(_fold(text).replace(APOSTROPHE, "'"))


def _fold(text: str) -> str:
    if len(text) <= _NFKC_PIECE_CHARACTERS:
        return unicodedata.normalize("NFKC", text).casefold()
    starts = range(0, len(text), _NFKC_PIECE_CHARACTERS)
    pieces = (text[start : start + _NFKC_PIECE_CHARACTERS] for start in starts)
    return "".join(unicodedata.normalize("NFKC", piece) for piece in pieces).casefold()
