import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest, xxh3_128_intdigest

from personastream.dedup import hash_texts, hash_texts_128, normalise
from tests.support.effort import tries

BOTH_KERNELS = pytest.mark.usefixtures("each_kernel")

CHARACTERS = st.one_of(st.characters(codec=None), st.sampled_from(" \t\n\x00\x1c\x85\u2028\u3000aAéß老\u0301\ud800"))
TEXTS = st.lists(st.text(CHARACTERS, max_size=30) | st.text(st.sampled_from("aB \n"), max_size=300), max_size=8)


def expected(texts: list[str]) -> tuple[list[int], list[tuple[int, int]]]:
    data = [normalise(text).encode("utf-8", "surrogatepass") for text in texts]
    wide = [xxh3_128_intdigest(text) for text in data]
    return [xxh3_64_intdigest(text) for text in data], [(key >> 64, key & ((1 << 64) - 1)) for key in wide]


@BOTH_KERNELS
@settings(max_examples=tries(80), deadline=None)
@given(texts=TEXTS)
def test_keys_are_xxh3_of_the_normal_form(texts: list[str]) -> None:
    keys, wide = expected(texts)
    assert hash_texts(texts).tolist() == keys
    assert [tuple(key) for key in hash_texts_128(texts).tolist()] == wide


@BOTH_KERNELS
def test_keys_of_texts_of_every_length_are_those_of_the_reference_implementation() -> None:
    texts = ["".join(chr(97 + place * place % 26) for place in range(size)) for size in range(300)]
    texts += ["é" * size for size in range(130)]
    assert hash_texts(texts).tolist() == expected(texts)[0]


@BOTH_KERNELS
def test_texts_with_one_normal_form_have_one_key() -> None:
    keys = hash_texts(
        ["A Teacher", " a  teacher ", "a teacher.", "", "\ud800", "a\nteacher", "Ａ\u3000ｔｅａｃｈｅｒ"]
    ).tolist()
    assert keys[0] == keys[1] == keys[5] == keys[6]
    assert len(set(keys)) == 4


@BOTH_KERNELS
def test_a_huge_text_and_no_texts_at_all() -> None:
    assert hash_texts(["A " * (1 << 19), "b"]).tolist() == expected(["A " * (1 << 19), "b"])[0]
    assert hash_texts([]).shape == (0,)
    assert hash_texts_128([]).shape == (0, 2)
