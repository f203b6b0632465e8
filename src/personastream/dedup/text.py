"""What makes two texts the same: one normal form for exact comparison, words for near comparison.

Both rest on NFKC and full case folding, so case, width, ligatures and spacing never make a difference. The tables
are those of Python's own `unicodedata`.
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.fold import APOSTROPHE, normal_forms, word_forms
from personastream.dedup.scripts import space_words

# CPython puts combining marks into canonical order by insertion: quadratic in the length of a run of marks. A text
# longer than this many characters is normalised piece by piece, so that a hostile line costs linear time.
_NFKC_PIECE_CHARACTERS = 1024

STEP_ROWS = 2048
"""Rows to work on at a time where there is a choice: what is packed of them stays in the cache."""

_PADDING = "\0" * 64
_LINE_FEED = 10
_ASCII_WORDS = bytes(ord(chr(code).lower()) if chr(code).isalnum() else ord(" ") for code in range(128)) + bytes(
    range(128, 256)
)

Bulk = Callable[[list[str]], tuple[list[str], list[int]]]


@dataclass(frozen=True, slots=True)
class Packed:
    """Rows of bytes one after the other, each ended by a line feed: row i is `data[starts[i]:starts[i + 1] - 1]`.

    `starts` is int64[rows + 1]; `data` goes on for 64 bytes beyond the last row, so that kernels may read ahead.
    """

    data: NDArray[np.uint8]
    starts: NDArray[np.int64]


def pack_words(texts: Sequence[str]) -> Packed:
    """UTF-8 of all texts, in which a word is a longest run of ASCII letters, digits and bytes from 128 on.

    ASCII texts stay as they are, so their letters may have either case. Others are folded; what belongs to no word
    is a space there, and words of one character in scripts written without spaces stand apart.
    """
    return _pack_ascii(texts) or _pack(_ascii_apart(texts, word_forms, lambda text: space_words(_fold(text))))


def pack_symbols(texts: Sequence[str]) -> Packed:
    """As `pack_words`, but symbols of ASCII stay in texts of every kind, a typographic apostrophe as a plain one."""
    return _pack_ascii(texts) or _pack(_ascii_apart(texts, partial(word_forms, symbols=True), _with_symbols))


def pack_texts(texts: Sequence[str]) -> Packed:
    """UTF-8 of all texts. ASCII texts stay as they are; others have their normal form, but for runs of spaces.

    A lone surrogate is encoded as if it were a character.
    """
    return _pack_ascii(texts) or _pack(_ascii_apart(texts, normal_forms, normalise))


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
    words = packed.data.tobytes().translate(_ASCII_WORDS)
    in_word = np.frombuffer(words, np.uint8) > ord(" ")
    begins = (in_word & ~np.append(False, in_word[:-1])).nonzero()[0]
    return words.split(), np.diff(np.searchsorted(begins, packed.starts))


def _pack_ascii(texts: Sequence[str]) -> Packed | None:
    """Texts that are all of ASCII and a line each, packed at once; else none."""
    if not all(map(str.isascii, texts)):  # else a few rows would make all characters two or four bytes wide
        return None
    joined = "\n".join([*texts, _PADDING])
    data = np.frombuffer(joined.encode("ascii"), np.uint8)
    ends = (data == _LINE_FEED).nonzero()[0]
    if len(ends) != len(texts):
        return None
    return Packed(data, np.append(0, ends + 1))


def _pack(rows: list[str]) -> Packed:
    """Pack rows that hold one character for each byte."""
    starts = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, rows), np.int64, len(rows)) + 1, out=starts[1:])
    data = "\n".join([*rows, _PADDING]).encode("latin-1")
    return Packed(np.frombuffer(data, np.uint8), starts)


def _ascii_apart(texts: Sequence[str], together: Bulk, alone: Callable[[str], str]) -> list[str]:
    """ASCII texts as they are, others brought into form: in bulk where that goes, else one by one."""
    rows = list(texts)
    others = [row for row, text in enumerate(rows) if not text.isascii()]
    if others:
        formed, hard = together([rows[row] for row in others])
        for place in hard:
            formed[place] = _as_bytes(alone(rows[others[place]]))
        for row, text in zip(others, formed, strict=True):
            rows[row] = text
    return rows


def _as_bytes(text: str) -> str:
    """The UTF-8 of `text` as characters of one byte, which are joined and encoded by copying them."""
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def _oddly_spaced(packed: Packed) -> list[int]:
    """Rows that hold a control character or two spaces in a row, or begin or end with a space."""
    data = packed.data[: packed.starts[-1]]
    odd = data < ord(" ")
    odd[packed.starts[1:] - 1] = False
    spacing = data <= ord(" ")
    odd[1:] |= spacing[1:] & spacing[:-1]
    odd[:1] |= spacing[:1]
    rows: list[int] = np.unique(np.searchsorted(packed.starts, odd.nonzero()[0], "right") - 1).tolist()
    return rows


def _with_symbols(text: str) -> str:
    return space_words(_fold(text).replace(APOSTROPHE, "'"))


def _fold(text: str) -> str:
    if len(text) <= _NFKC_PIECE_CHARACTERS:
        return unicodedata.normalize("NFKC", text).casefold()
    starts = range(0, len(text), _NFKC_PIECE_CHARACTERS)
    pieces = (text[start : start + _NFKC_PIECE_CHARACTERS] for start in starts)
    return "".join(unicodedata.normalize("NFKC", piece) for piece in pieces).casefold()
