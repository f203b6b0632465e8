"""Answers: found in replies, and compared as far as that goes without algebra."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.core.answers import (
    boxed,
    final_answer,
    is_prose,
    number,
    plain,
    quick_verdict,
    reference_answer,
)
from tests.support.effort import tries


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("2 + 2 is 4.\nAnswer: 4", "4"),
        ("Answer: 3\nNo, wait.\nAnswer: 4", "4"),
        ("**Answer:** 4", "4"),
        ("**Answer**: 4", "4"),
        ("Answer: **4**", "4"),
        ("ANSWER : $x + 1$", "$x + 1$"),
        ("The answer is: 12 apples.", "12 apples."),
        ("Final Answer: \\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("Answer:\n\n$12$", "$12$"),
        ("Answer:\n\\[\n12\n\\]", "12"),
        ("so \\boxed{\\sqrt{\\frac{1}{2}}} it is", "\\sqrt{\\frac{1}{2}}"),
        ("\\boxed{1} or rather \\boxed{2}", "2"),
        ("\\fbox{7}", "7"),
        ("5 + 7 = 12\n#### 1,234", "1,234"),
        ("答案：42", "42"),
        ("Answer: 4 and \\boxed{5}", "5"),
        ("I do not know", ""),
        ("", ""),
        ("\\boxed{1", ""),
        ("\\boxed", ""),
        ("Answer:", ""),
        (f"Answer: {'1' * 2000}", ""),
    ],
)
def test_the_answer_of_a_reply(reply: str, answer: str) -> None:
    assert final_answer(reply) == answer


@pytest.mark.parametrize(
    ("column", "answer"),
    [("2 + 2 = <<2+2=4>>4\n#### 4", "4"), ("so $\\boxed{x^2}$.", "x^2"), (" p - q ", "p - q"), ("#### 1,000", "1,000")],
)
def test_the_answer_of_a_data_set(column: str, answer: str) -> None:
    assert reference_answer(column) == answer


EQUAL = [
    (
        "1/2",
        "0.5",
        "\\frac12",
        "\\frac{1}{2}",
        "\\dfrac{1}{2}",
        "$\\tfrac{2}{4}$",
        "50\\%",
        "50%",
        ".5",
        "0.50",
        "1/2.",
    ),
    ("1234", "1,234", "1{,}234", "$1,234$", "1234.0", "1234.", "\\boxed{1234}", "**1234**", "\\(1234\\)", "1.234e3"),
    ("18", "$18", "\\$18", "18 dollars", "18\\text{ dollars}", "18.00", "x = 18", "18 \\text{ cm}^2", "+18"),
    ("-3/4", "-0.75", "-\\frac{3}{4}", "\\frac{-3}{4}", "−0.75", "-\\frac34"),
    ("3/2", "1\\frac{1}{2}", "1 1/2", "1.5", "150\\%"),
    ("90", "90^\\circ", "90^{\\circ}", "90°", "90 degrees", "\\theta = 90"),
    ("3000", "3 \\times 10^3", "3 \\cdot 10^{3}", "3e3", "3 × 10^3"),
    ("Evelyn", "\\text{Evelyn}", "evelyn", "\\mathrm{Evelyn}", "Evelyn."),
    ("C", "(C)", "\\text{(C)}", "\\textbf{(C)}"),
    ("3,5,7", "3, 5, 7", "7,5,3", "5, 3.0, 7"),
    ("(1,2)", "\\left(1, 2\\right)", "( 1 , 2.0 )", "(\\frac22, 2)"),
    ("[0, 1/2]", "[0,0.5]", "\\left[0,\\frac{1}{2}\\right]"),
    ("100/3", "33.333333333333336", "\\frac{100}{3}"),
    ("52_8", "52_{8}", "$52_8$"),
    ("15\\mbox{ cm}^2", "15cm^2", "15", "15 square centimeters"),
    ("p - q", "p-q", "$p-q$", "p \\, - \\, q"),
]


@pytest.mark.parametrize("forms", EQUAL, ids=lambda forms: forms[0])
def test_equivalent_forms_are_equal(forms: tuple[str, ...]) -> None:
    assert {quick_verdict(one, other) for one in forms for other in forms} == {"equal"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1/2", "1/3"),
        ("0.33", "1/3"),
        ("1234", "1235"),
        ("12", "-12"),
        ("0.1", "10"),
        ("5\\%", "0.5"),
        ("(1,2)", "(2,1)"),
        ("1,2", "1,3"),
        ("1,2", "1,2,3"),
        ("3.1415", "3.1416"),
        ("52_8", "52_9"),
        ("52_8", "53_8"),
        ("52_8", "53"),
    ],
)
def test_different_numbers_are_different(one: str, other: str) -> None:
    assert quick_verdict(one, other) == quick_verdict(other, one) == "different"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("(3,4]", "(3,4)"),
        ("\\sqrt{2}", "2^{1/2}"),
        ("x+1", "1+x"),
        ("east", "seat"),
        ("2", "two"),
        ("", "1"),
        ("1/0", "1"),
        ("2 pi", "2"),
        ("3 and 4", "3"),
        ("2x", "2"),
        ("10^{99999999}", "1e99999999"),
    ],
)
def test_the_rest_is_left_to_others(one: str, other: str) -> None:
    assert quick_verdict(one, other) == quick_verdict(other, one) == "unknown"


def test_words_are_told_from_algebra() -> None:
    assert all(map(is_prose, ("east", "\\text{even}", "New York", "Evelyn")))
    assert not any(map(is_prose, ("x", "2x", "p - q", "\\pi", "12", "")))


@settings(max_examples=tries(40))
@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_is_compared(one: str, other: str) -> None:
    assert quick_verdict(one, other) == quick_verdict(other, one)
    assert quick_verdict(one, one) in ("equal", "unknown")
    final_answer(one)
    boxed(one)


@given(st.fractions(max_denominator=10**6), st.fractions(max_denominator=10**6))
def test_numbers_are_equal_exactly_when_they_are(one: Fraction, other: Fraction) -> None:
    assert number(plain(f"\\frac{{{one.numerator}}}{{{one.denominator}}}")) == one
    assert quick_verdict(str(one), str(other)) == ("equal" if one == other else "different")


PIECES = ("{", "answer ", "\\boxed{", "#", "\n", "- ", "1,", "(", "answer: ")
MILLIONS = [*(piece * 100_000 for piece in PIECES), *(f"answer{piece * 1_000_000}" for piece in " *_\t")]


@pytest.mark.parametrize("hostile", MILLIONS, ids=[repr(each[:8]) for each in MILLIONS])
def test_hostile_text_takes_no_time_to_speak_of(hostile: str) -> None:
    """Seconds, if a pattern backtracked; the suite's own limit would end it."""
    final_answer(hostile)
    reference_answer(hostile)
    quick_verdict(hostile, hostile[:-1])
