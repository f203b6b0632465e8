"""Texts brought into form by tables against the way one by one, in compiled code."""

import random
import re
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.dedup.backend import Formed, kernels
from personastream.dedup.fold import APART, CLASS_SHIFT, HARD, MARK, Table, tables
from personastream.dedup.scripts import space_words
from personastream.dedup.text import normalise, pack_texts
from tests.support.effort import tries

MARKS = "\u0301\u0323\u0345\u093c\u094d\u0e38\u0e48\u3099\u05b0\ufe0f"
CHARACTERS = st.one_of(
    st.characters(codec=None, max_codepoint=0xFFFF),
    st.sampled_from(f"a\u00e9\u1e9e \u3000\u2028\x85\x00\n老éßﬁＡЖ한\u1161ㅏ😀क़नกि{MARKS}\ud800"),
)
NO_WORD = re.compile(r"[^0-9a-z\x80-\U0010ffff]")
TEXTS = st.lists(st.text(CHARACTERS, max_size=30), min_size=1, max_size=6)


def folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def rows_of(formed: Formed) -> list[str | None]:
    """Rows by what was made of them; None for those that were left out."""
    data, begins, ends, left = formed
    raw = data.tobytes()
    spans = zip(begins.tolist(), ends.tolist(), left.tolist(), strict=True)
    return [None if out else raw[begin:end].decode("utf-8", "surrogatepass") for begin, end, out in spans]


def normal(texts: list[str]) -> list[str | None]:
    packed = pack_texts(texts)
    return rows_of(kernels().normal_rows(packed.data, packed.begins, packed.ends, tables().normal))


def worded(texts: list[str]) -> list[str | None]:
    packed = pack_texts(texts)
    return rows_of(kernels().form_rows(packed.data, packed.begins, packed.ends, tables().words))


def check(texts: list[str]) -> int:
    """Whether all that was not left out is as if done one by one; returns how many texts that are."""
    done = 0
    for text, row, words in zip(texts, normal(texts), worded(texts), strict=True):
        assert row in (None, normalise(text))
        spaced = text.lower() if text.isascii() else space_words(folded(text))
        assert words is None or words_of(words) == words_of(spaced)
        done += row is not None
    return done


def words_of(text: str) -> list[str]:
    """Letters of ASCII may have either case."""
    return NO_WORD.sub(" ", text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")).split()


@settings(max_examples=tries(150), deadline=None)
@given(TEXTS)
def test_what_is_looked_up_is_what_is_done_one_by_one(texts: list[str]) -> None:
    check(texts)


@pytest.mark.parametrize("seed", range(3))
def test_marks_among_their_own_script_are_looked_up_or_left_out(seed: int) -> None:
    """Random texts of one block of characters each, with many marks."""
    random_ = random.Random(seed)
    easy = easy_characters(tables().normal)
    marks = [*filter(is_mark, easy)]
    blocks: dict[int, list[str]] = {}
    for character in easy:
        blocks.setdefault(ord(character) >> 7, []).append(character)
    texts = []
    for _ in range(4000):
        block = random_.choice([*blocks.values()])
        pick = (block, block, marks, ["a", " ", "~"])
        texts.append("".join(random_.choice(random_.choice(pick)) for _ in range(random_.randrange(1, 12))))
    assert check(texts) > len(texts) / 2


@pytest.mark.parametrize("seed", range(5))
def test_no_character_that_is_looked_up_joins_with_any_other(seed: int) -> None:
    """Marks aside: those are looked up depending on what is before them."""
    easy = [character for character in easy_characters(tables().normal) if not is_mark(character)]
    random.Random(seed).shuffle(easy)
    assert normal(["".join(easy)]) == [normalise("".join(easy))]


def is_mark(character: str) -> bool:
    return unicodedata.category(unicodedata.normalize("NFKC", character)) in ("Mn", "Mc", "Me")


def easy_characters(table: Table) -> list[str]:
    return [chr(code) for code in np.flatnonzero((table & HARD) != HARD).tolist() if code >= 0x80]


def test_only_marks_can_be_the_second_of_a_composition() -> None:
    decompositions = map(unicodedata.decomposition, map(chr, range(sys.maxunicode + 1)))
    parts = (value.split() for value in decompositions if value and not value.startswith("<"))
    seconds = {chr(int(part[1], 16)) for part in parts if len(part) == 2}
    assert len(seconds) > 50
    easy = easy_characters(tables().normal)
    assert all(map(is_mark, seconds & set(easy)))
    assert not any(set(unicodedata.normalize("NFD", each)[:1]) & seconds - {each} for each in easy)


def test_classes_of_marks_are_those_of_python() -> None:
    table = tables().normal
    classes = {each: unicodedata.combining(unicodedata.normalize("NFKC", each)) for each in easy_characters(table)}
    assert {each for each in classes if table[ord(each)] & MARK} == {each for each, found in classes.items() if found}
    assert all(table[ord(each)] >> CLASS_SHIFT == found for each, found in classes.items() if found)


def test_common_scripts_are_looked_up() -> None:
    texts = [
        "“naïve” café—déjà vu",
        "Учитель из Осло",
        "一位老师，来自北京。",
        "한국어 교사",
        "Δάσκαλος",
        "two\nlines é",
    ]
    assert check([*texts, "ครูสอนภาษาไทยที่เชียงใหม่", "दिल्ली की एक शिक्षिका जो पढ़ाती है", "מורה מתל אביב"]) == 9


def test_rows_that_need_a_closer_look_are_left_out() -> None:
    texts = [
        "plain é",
        "Straße",
        "e\u0301",
        "é\u0323",
        "é 😀",
        "é \u0301\u0323",
        "ㄱㅏ",
        "\ud800",
        "❤\ufe0f",
        "\uf9d0\ufa6c",
    ]
    left = [place for place, row in enumerate(normal(texts)) if row is None]
    assert left == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert [place for place, row in enumerate(worded(texts)) if row is None] == left


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_no_character_becomes_more_than_twice_as_long(kind: int) -> None:
    """For twice as much is what compiled loops make room for."""
    table = tables()[kind]
    codes = np.arange(len(table))
    easy = (table & HARD) != HARD
    assert (size(table & HARD)[easy] + 2 * ((table & APART) != 0)[easy] <= 2 * size(codes)[easy]).all()


def size(codes: np.ndarray[tuple[int, ...], np.dtype[np.integer]]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Bytes of UTF-8."""
    return 1 + (codes >= 0x80).astype(np.int64) + (codes >= 0x800)
