import pytest
from hypothesis import given
from hypothesis import strategies as st

from personastream.recipes.beginning import beginning


@given(st.text(max_size=300), st.integers(1, 100))
def test_a_beginning_is_one_and_fits(text: str, characters_max: int) -> None:
    begun = beginning(text, characters_max)
    assert text.strip().startswith(begun)
    assert len(begun) <= characters_max
    assert begun or not text.strip()


@given(st.text(max_size=100))
def test_a_text_that_fits_stays_whole(text: str) -> None:
    assert beginning(text, 100) == text.strip()


@pytest.mark.parametrize(
    ("text", "begun"),
    [
        ("It rains. It pours, and how it does", "It rains. It pours,"),
        ("It rains hard! It pours, and how", "It rains hard!"),
        ('He said: "It rains." And left us here', 'He said: "It rains."'),
        ("First line\nSecond line of it", "First line"),
        ("Version 3.14 is out and about, now", "Version 3.14 is out"),
        ("雨下得很大，路上没有行人。河水涨起来了，桥也断了。", "雨下得很大，路上没有行人。"),
        ("雨" * 12 + "。" + "雨" * 7 + "。雨", "雨" * 12 + "。"),
        ("x" * 50, "x" * 20),
        ("One. " + "y" * 50, "One. " + "y" * 15),
    ],
)
def test_the_cut_is_at_the_end_of_a_sentence_or_else_of_a_word(text: str, begun: str) -> None:
    assert beginning(text, 20) == begun


def test_a_sentence_that_ends_far_from_the_limit_is_better_than_a_word_that_ends_near() -> None:
    text = "y " * 600 + "and that is all. " + "z " * 600
    assert beginning(text, 2000) == "y " * 600 + "and that is all."
    assert beginning(text, 1200) == ("y " * 600).rstrip()


@pytest.mark.parametrize("letter", ["e\u0301", "👩\u200d🚀", "☀\ufe0f"])
def test_a_hard_cut_leaves_letters_whole(letter: str) -> None:
    for characters_max in range(2, 30):
        begun = beginning(letter * 40, characters_max)
        assert begun == letter * (len(begun) // len(letter)) or characters_max < len(letter)
