import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.dedup import is_unspaced, normalise, split_words
from tests.support.effort import tries

ANY_TEXT = st.text(st.one_of(st.characters(codec=None), st.sampled_from("\n \r\x85\u2028Aé")), max_size=60)


def words_of(text: str) -> list[str]:
    words, counts = split_words([text])
    assert counts.tolist() == [len(words)]
    return [word.decode() for word in words]


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("A  Teacher\tof\nmaths ", "a teacher of maths"),
        ("Ｔｅａｃｈｅｒ", "teacher"),
        ("ﬁne Straße", "FINE STRASSE"),
        ("cafe\u0301", "CAFÉ"),
        ("non\u00a0breaking", "non breaking"),
    ],
)
def test_case_width_and_spacing_make_no_difference(text: str, other: str) -> None:
    assert normalise(text) == normalise(other)


def test_punctuation_makes_a_difference_to_the_normal_form() -> None:
    assert normalise("a teacher.") != normalise("a teacher")


@settings(max_examples=tries(50), deadline=None)
@given(ANY_TEXT)
def test_the_short_way_for_ascii_gives_the_general_normal_form(text: str) -> None:
    ascii_text = text.encode("ascii", "ignore").decode()
    assert normalise(ascii_text) == " ".join(unicodedata.normalize("NFKC", ascii_text).casefold().split())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It's a mod_rewrite-expert, 42!", ["it", "s", "a", "mod", "rewrite", "expert", "42"]),
        ("Zümra's café", ["zümra", "s", "café"]),
        ("a “quoted”—word", ["a", "quoted", "word"]),
        ("一位老师。", ["一", "位", "老", "师"]),
        ("BL漫画fan", ["bl", "漫", "画", "fan"]),
        ("カﾞイド", ["ガ", "イ", "ド"]),
        ("ครูไทย", ["ค", "ร", "ู", "ไ", "ท", "ย"]),
        ("ကချင်", ["က", "ခ", "ျ", "င", "်"]),
        ("हिन्दी शिक्षक", ["हिन्दी", "शिक्षक"]),
        ("한국어 교사", ["한국어", "교사"]),
        ("می\u200cخواهم", ["میخواهم"]),
        ("two\nlines\n", ["two", "lines"]),
        ("soft\u00adhyphen", ["softhyphen"]),
        ("❤\ufe0f 葛\U000e0100城", ["葛", "城"]),
        ("\ud800 lone", ["lone"]),
        ("?!… \x00\x1f\x7f", []),
        ("", []),
    ],
)
def test_words_are_runs_of_letters_or_single_characters_of_unspaced_scripts(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@settings(max_examples=tries(50), deadline=None)
@given(st.lists(ANY_TEXT, max_size=8))
def test_each_text_has_the_words_it_has_alone(texts: list[str]) -> None:
    words, counts = split_words(texts)
    alone = [split_words([text])[0] for text in texts]
    assert counts.tolist() == [len(row) for row in alone]
    assert words == [word for row in alone for word in row]


@settings(max_examples=tries(50), deadline=None)
@given(ANY_TEXT)
def test_words_hold_nothing_but_letters_digits_and_marks(text: str) -> None:
    for word in words_of(text):
        assert all(unicodedata.category(character)[0] in "LNM" for character in word)
        assert len(word) == 1 or not any(is_unspaced(ord(character)) for character in word)


def test_a_long_text_is_normalised_like_a_short_one() -> None:
    assert normalise("É ﬁ " * 5000) == " ".join(["é fi"] * 5000)


@pytest.mark.timeout(20)
def test_a_long_run_of_combining_marks_costs_linear_time() -> None:
    normalise("a" + "\u0301\u0327" * 100_000)  # in one piece this takes most of a minute
