"""The bulk way against the way character by character."""

import random
import re
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.dedup.fold import normal_forms, word_forms
from personastream.dedup.scripts import space_words
from tests.support.effort import tries

CHARACTERS = st.one_of(
    st.characters(codec=None, max_codepoint=0xFFFF), st.sampled_from("a \u3000\u2028老éßﬁＡЖ한\u0301\u1161ㅏ😀\n")
)
NO_WORD = re.compile(r"[^0-9a-z\x80-\U0010ffff]")
TEXTS = st.lists(st.text(CHARACTERS, max_size=30), min_size=1, max_size=6)


def folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def text_of(row: str) -> str:
    return row.encode("latin-1").decode()


@settings(max_examples=tries(100), deadline=None)
@given(TEXTS)
def test_what_is_done_in_bulk_is_what_is_done_one_by_one(texts: list[str]) -> None:
    rows, hard = normal_forms(texts)
    worded, hard_too = word_forms(texts)
    assert hard == hard_too
    for row in set(range(len(texts))) - set(hard):
        assert text_of(rows[row]).split() == folded(texts[row]).split()
        assert text_of(worded[row]).split() == NO_WORD.sub(" ", space_words(folded(texts[row]))).split()


@pytest.mark.parametrize("seed", range(5))
def test_no_character_that_is_looked_up_joins_with_any_other(seed: int) -> None:
    easy = easy_characters()
    random.Random(seed).shuffle(easy)
    rows, hard = normal_forms(["".join(easy)])
    assert not hard
    assert text_of(rows[0]).split() == folded("".join(easy)).split()


def easy_characters() -> list[str]:
    every = [chr(code) for code in range(0x10000)]
    hard = set(normal_forms(every)[1])
    return [character for code, character in enumerate(every) if code not in hard]


def test_no_character_that_is_looked_up_can_be_the_second_of_a_composition() -> None:
    decompositions = map(unicodedata.decomposition, map(chr, range(sys.maxunicode + 1)))
    parts = (value.split() for value in decompositions if value and not value.startswith("<"))
    seconds = {chr(int(part[1], 16)) for part in parts if len(part) == 2}
    assert len(seconds) > 50
    assert not seconds & set(easy_characters())


def test_common_scripts_are_looked_up() -> None:
    texts = ["“naïve” café—déjà vu", "Учитель из Осло", "一位老师，来自北京。", "한국어 교사", "Δάσκαλος"]
    assert normal_forms(texts)[1] == []
    assert word_forms(texts)[1] == []


def test_rows_that_need_a_closer_look_are_told() -> None:
    texts = ["plain é", "Straße", "e\u0301", "two\nlines é", "é 😀", "ㄱㅏ", "\ud800", "é"]
    assert normal_forms(texts)[1] == [1, 2, 3, 4, 5, 6]
