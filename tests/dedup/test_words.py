"""Word hashes against their definition, in every kernel, for texts of any kind."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.dedup import hash_words, signatures_and_sketches, simhash, sketches, split_words
from personastream.dedup.text import pack_words
from tests.support.effort import tries

BOTH_KERNELS = pytest.mark.usefixtures("each_kernel")

MASK = (1 << 64) - 1
LETTERS = st.sampled_from("aZ09_ .\n\x00éßŉ老ครู한ᄀ\u0301\u200c\ufe0f\ud800\U0001f600😀")
TEXTS = st.lists(
    st.one_of(
        st.text(st.one_of(st.characters(codec=None), LETTERS), max_size=40),
        st.text(st.sampled_from("abcXYZ019"), max_size=80),
        st.lists(st.sampled_from(["a", "nurse", "Oslo", "x" * 15, "y" * 16, "z" * 17]), max_size=30).map(" ".join),
    ),
    max_size=6,
)


def fold(value: int, other: int) -> int:
    return (value * other >> 64) ^ (value * other & MASK)


def by_definition(word: bytes) -> int:
    padded = word + bytes(16 - len(word) % 16)
    found = 0xE7037ED1A0B428DB
    for start in range(0, len(padded), 16):
        low, high = (int.from_bytes(padded[place : place + 8], "little") for place in (start, start + 8))
        found = fold(low ^ 0xA0761D6478BD642F, high ^ found)
    return fold(found ^ 0x8EBC6AF09C88C6E3, 0x589965CC75374CC3)


@BOTH_KERNELS
@settings(max_examples=tries(80), deadline=None)
@given(texts=TEXTS)
def test_words_of_any_text_hash_as_defined(texts: list[str]) -> None:
    words, counts = split_words(texts)
    rows = hash_words(texts)
    assert rows.counts.tolist() == counts.tolist()
    assert rows.hashes.tolist() == [by_definition(word) for word in words]


@BOTH_KERNELS
@pytest.mark.parametrize("size", [1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 62, 63, 64, 65, 127, 128, 5000])
def test_words_of_any_length_hash_as_defined_wherever_they_stand(size: int) -> None:
    word = "".join(chr(ord("a") + place % 26) for place in range(size))
    for before in (0, 1, 47, 48, 62, 63, 64):
        rows = hash_words([" " * before + word, word + "!", word])
        assert rows.hashes.tolist() == [by_definition(word.encode())] * 3


@BOTH_KERNELS
def test_rows_next_to_each_other_do_not_run_together() -> None:
    rows = hash_words(["", "ab", "", "cd", "?", "ef" * 32, "ab"])
    assert rows.starts.tolist() == [0, 0, 1, 1, 2, 2, 3, 4]
    assert rows.hashes[0] == rows.hashes[3]


@BOTH_KERNELS
def test_huge_rows_and_words_are_hashed_like_any_other() -> None:
    rows = hash_words(["a b", "a b " * (1 << 18), "x" * (1 << 16), "a b"])
    assert rows.counts.tolist() == [2, 1 << 19, 1, 2]
    assert np.unique(rows.hashes).size == 3


def test_no_words_at_all() -> None:
    assert len(hash_words([])) == 0
    signatures, sketched, counts = signatures_and_sketches(["", "?!"])
    assert (signatures.tolist(), sketched.tolist(), counts.tolist()) == ([0, 0], [[0, 0], [0, 0]], [0, 0])


@BOTH_KERNELS
def test_the_fast_path_gives_what_its_parts_give() -> None:
    texts = ["A nurse from Oslo", "老师 from Oslo", "", "a nurse, from Oslo!"]
    signatures, sketched, counts = signatures_and_sketches(texts)
    words = hash_words(texts)
    assert (signatures == simhash(words)).all()
    assert (sketched == sketches(words)).all()
    assert (counts == words.counts).all()
    assert (signatures_and_sketches(texts, pairs=False)[0] == simhash(words, pairs=False)).all()
    assert signatures[0] == signatures[3]


def test_packed_rows_may_be_read_past_their_end() -> None:
    packed = pack_words(["ab", "c"])
    assert (packed.begins.tolist(), packed.ends.tolist()) == ([0, 3], [2, 4])
    assert packed.data[:5].tobytes() == b"ab\nc\n"
    assert len(packed.data) == 5 + 64


@given(st.lists(st.text(st.characters(codec="ascii"), max_size=6), max_size=5))
def test_ascii_rows_are_packed_alike_whatever_stands_beside_them(texts: list[str]) -> None:
    """With line feeds in them or not, in whatever number."""
    alone, beside = pack_words(texts), pack_words([*texts, "\N{LATIN SMALL LETTER E WITH ACUTE}"])
    assert alone.begins.tolist() == beside.begins[:-1].tolist()
    assert alone.ends.tolist() == beside.ends[:-1].tolist()
    size = int(beside.begins[-1])
    assert (
        alone.data[:size].tobytes() == beside.data[:size].tobytes() == "".join(f"{text}\n" for text in texts).encode()
    )
    assert len(alone.data) >= size + 64
