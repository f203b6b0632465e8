"""Tokens against their definition, in every kernel; and which edits they do not see."""

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.dedup.backend import kernels
from personastream.dedup.scripts import space_words
from personastream.dedup.tokens import SILENT, hash_tokens
from tests.support.effort import tries

BOTH_KERNELS = pytest.mark.usefixtures("each_kernel")
LETTERS = r"[a-z\x80-\U0010ffff]+"
TOKEN = re.compile(rf"{LETTERS}(?:'{LETTERS})*|[0-9](?:[0-9]|,(?=[0-9]{{3}}(?![0-9]))|\.(?=[0-9]))*")
WORDS = (
    "a",
    "Ann's",
    "O’Neil’s",
    "\\frac{3}{4}",
    "\\left(",
    "left",
    "2x",
    "x2",
    "80,000",
    "1.5",
    "1,234.5",
    ".5",
    ",000",
    "d" * 70,
    "1" * 9,
)
MARKS = ("'", "''", "x'", "'y", "’", "é", "老人", "²", "½", "ß", "🙂", "-", "İ", " ", "\n", "\ud800", "\u0301")
PIECES = st.sampled_from([*WORDS, *MARKS])
TEXTS = st.lists(
    st.one_of(
        st.lists(PIECES, max_size=30).map("".join),
        st.text(st.one_of(st.characters(codec=None), st.sampled_from("aZ09'’\\{ ")), max_size=80),
    ),
    max_size=6,
)


def by_definition(text: str) -> list[str]:
    folded = text if text.isascii() else unicodedata.normalize("NFKC", text).casefold()
    spaced = space_words(folded.replace("’", "'")) if not text.isascii() else text.lower()
    found = [word.replace("'", "").replace(",", "") for word in TOKEN.findall(spaced)]
    return [word for word in found if word not in SILENT]


def hash_of(word: str) -> int:
    raw = word.encode("utf-8", "surrogatepass").replace(b".", b"\xff")
    data = np.frombuffer(raw + b"\n" + bytes(64), np.uint8)
    (found,) = kernels().hash_words(data, np.array([0]), np.array([len(raw)]))[0].tolist()
    return int(found)


@BOTH_KERNELS
@settings(max_examples=tries(80), deadline=None)
@given(texts=TEXTS)
def test_tokens_of_any_text_are_as_defined(texts: list[str]) -> None:
    rows = hash_tokens(texts)
    expected = [by_definition(text) for text in texts]
    assert rows.counts.tolist() == list(map(len, expected))
    assert rows.hashes.tolist() == [hash_of(word) for words in expected for word in words]


@BOTH_KERNELS
@pytest.mark.parametrize(
    ("text", "edited"),
    [
        ("Ann’s 80,000 eggs", "ANNS 80000 EGGS!"),
        ("$\\frac{3}{4}x^2$", "3/4 x²"),
        ("\\left( 2x \\right)", "(2 x)"),
        ("f(x)=3x-2, e.g. (0,3).", "f (x) = 3x − 2 , E.G. ( 0, 3 )"),
        ("It costs $1.50; half-price is 0.75.", "it costs 1.50 — half price  is\n(0.75)"),
    ],
)
def test_light_edits_change_nothing(text: str, edited: str) -> None:
    first, second = hash_tokens([text]), hash_tokens([edited])
    assert first.hashes.tolist() == second.hashes.tolist()


@BOTH_KERNELS
@pytest.mark.parametrize(
    ("text", "other"), [("16 eggs", "17 eggs"), ("1.5", "1.6"), ("x + 1", "y + 1"), ("10", "100"), ("2", "217")]
)
def test_numbers_and_names_do_count(text: str, other: str) -> None:
    assert hash_tokens([text]).hashes.tolist() != hash_tokens([other]).hashes.tolist()
