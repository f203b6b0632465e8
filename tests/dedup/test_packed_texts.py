"""Texts as they are read, packed among other bytes, give the same features and decisions as a list of them."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.core.rows import RowReader
from personastream.dedup import hash_texts, hash_texts_128
from personastream.dedup.backend import kernels
from personastream.dedup.sketch import signatures_and_sketches
from personastream.dedup.text import pack_texts, split_words
from personastream.dedup.tokens import hash_tokens
from personastream.dedup.words import hash_words
from personastream.packed import Texts
from tests.support.effort import tries

CHARACTERS = st.one_of(
    st.characters(codec="utf-8"),
    st.sampled_from(" \t\n\x00\x1c\x85\u2028\u3000aA19,.'’éßﬁ老あ한ㅏ\u0301\u0323\u1161क़ที่😀ȺΣ\\\""),
)
TEXT = st.text(CHARACTERS, max_size=30) | st.text(st.sampled_from("aB 老"), max_size=300)


def as_read(texts: Sequence[str]) -> Texts:
    """The texts out of JSON lines, with the characters escaped that have to be."""
    plain = ["a baker"] * 8 * len(texts)  # only few among many may have them
    lines = [f'{{"persona": "{escaped(text)}"}}' for text in [*texts, *plain]]
    read = RowReader("persona", 1 << 20).read([line.encode() for line in lines], 0).texts[: len(texts)]
    assert isinstance(read, Texts)
    return read


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(each):04x}" if each in '"\\' or each < " " else each for each in text)


@pytest.mark.usefixtures("each_kernel")
@settings(max_examples=tries(100), deadline=None)
@given(st.lists(TEXT.filter(str.strip), min_size=1, max_size=8), st.data())
def test_packed_texts_have_the_features_of_a_list(texts: list[str], data: st.DataObject) -> None:
    mask = [data.draw(st.integers(0, 5)) > 0 for _ in texts]
    packed, texts = as_read(texts).only(bytes(mask)), [text for text, kept in zip(texts, mask, strict=True) if kept]
    assert packed == texts
    assert hash_texts(packed).tolist() == hash_texts(texts).tolist() == hash_texts(texts, few=True).tolist()
    assert hash_texts_128(packed).tolist() == hash_texts_128(texts).tolist()
    for hashed in (hash_words, hash_tokens):
        found, expected = hashed(packed), hashed(texts)
        assert (found.hashes.tolist(), found.starts.tolist()) == (expected.hashes.tolist(), expected.starts.tolist())
    (words, counts), (expected_words, expected_counts) = split_words(packed), split_words(texts)
    assert (words, counts.tolist()) == (expected_words, expected_counts.tolist())
    for given_, wanted in zip(signatures_and_sketches(packed), signatures_and_sketches(texts), strict=True):
        assert given_.tolist() == wanted.tolist()


@pytest.mark.usefixtures("each_kernel")
@settings(max_examples=tries(60), deadline=None)
@given(
    st.lists(st.text(st.one_of(st.characters(codec=None), st.sampled_from("aé\n\n\ud800")), max_size=9), max_size=99)
)
def test_a_list_is_packed_as_it_is(texts: list[str]) -> None:
    """Line feeds and lone surrogates in it or not, with loops to find where lines end or without."""
    kernels()
    for given_ in (texts, [text.replace("\n", "") for text in texts]):
        packed = pack_texts(given_)
        assert packed.rows() == [text.encode("utf-8", "surrogatepass") for text in given_]
        assert len(packed.data) >= 64 + sum(packed.ends[-1:] + 1)


@pytest.mark.usefixtures("each_kernel")
def test_batches_larger_than_a_step_are_packed_step_by_step() -> None:
    texts = [f"A {place % 700} gardener {'of Zürich' if place % 9 == 0 else '庭師'}" for place in range(5000)]
    packed = as_read(texts)
    assert hash_texts(packed).tolist() == hash_texts(texts).tolist()
    assert signatures_and_sketches(packed)[1].tolist() == signatures_and_sketches(texts)[1].tolist()
