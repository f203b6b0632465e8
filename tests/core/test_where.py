"""Row filters: what they say of a row, that they never fail on one, and how a wrong one is refused."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.core.where import DEPTH_MAX, compile_where
from personastream.core.where_tokens import CHARACTERS_MAX, WhereError
from tests.support.effort import tries

DEGREE = "general domain (top 1 percent)"
ROW: dict[str, Any] = {
    "persona": "A night nurse from Łódź",
    "age": 41,
    "score": 0.5,
    "labels": ["care", "night work"],
    "adult": True,
    "nothing": None,
    "meta": {"root": "c4:17", "deep": {"er": 3}},
    "a.b": "a key with a dot",
    DEGREE: "Medicine",
}


def holds(text: str, row: dict[str, Any] = ROW) -> bool:
    return compile_where(text)(row)


@pytest.mark.parametrize(
    "text",
    [
        "age == 41",
        "age == 41.0",
        "age != 40 and age >= 41 and age <= 41 and age > 40.5 and age < 1e3",
        "score == .5",
        'persona != "somebody else"',
        "'A night nurse from Łódź' == persona",
        "adult",
        "adult == true",
        "not nothing",
        "nothing == null and missing == null and meta.missing == null and age.missing == null",
        'meta.root == "c4:17" and meta.deep.er == 3',
        'a.b == "a key with a dot" and `a.b` == "a key with a dot"',
        f'`{DEGREE}` != "None"',
        'persona contains "nurse" and "nurse" in persona',
        'labels contains "care" and "care" in labels and "baker" not in labels',
        'persona in ["x", "A night nurse from Łódź"]',
        "age in [1, 41.0, null]",
        "nothing in [null]",
        "age not in []",
        'persona matches "(?i)NURSE" and persona matches "^A .* from"',
        'lower(persona) contains "łódź"',
        "length(persona) == 23 and length(labels) == 2 and length(age) == null",
        "length(lower(persona)) > 3",
        "(age < 10 or age > 40) and not (adult == false)",
        "age < 10 or adult and score > 0",
        "not not adult",
        "lower == null and length == null",
        "persona == \"a\\\"b\" or persona != 'a\\'b'",
        "  age\n==\t41  ",
        "[1, 2] == [1, 2]",
    ],
)
def test_a_condition_that_holds(text: str) -> None:
    assert holds(text)
    assert not holds(f"not ({text})")


@pytest.mark.parametrize(
    "text",
    [
        "missing",
        "persona",
        "age",
        "age == true",
        "adult == 1",
        "adult in [1]",
        'age == "41"',
        'age > "4"',
        "persona > 4",
        "missing < 4 or missing >= 4",
        "labels < 4",
        "adult < 2",
        'age contains "4"',
        'age in "41"',
        'labels contains "CARE"',
        'age matches "4"',
        'labels matches "care"',
        "meta == null",
        "[1] == [true]",
    ],
)
def test_a_condition_that_does_not_hold(text: str) -> None:
    assert not holds(text)


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("", 1, "ends too early"),
        ("age ==", 7, "ends too early"),
        ("age = 41", 5, "unexpected '='"),
        ("1 < age < 50", 9, "second comparison"),
        ("(age == 1", 10, "`)` is missing for `(` at character 1"),
        ("age == 1)", 9, "unexpected `)`"),
        ("age 41", 5, "unexpected `41`"),
        ('"open', 1, "unexpected '\"'"),
        ("`open", 1, "unexpected '`'"),
        ("age AND adult", 5, "unexpected `AND`"),
        ("age == None", 8, "unexpected `None`"),
        ("age & adult", 5, "unexpected '&'"),
        ("age == 1e999", 8, "too large"),
        ("age == " + "9" * 5000, 8, "too many digits"),
        ("age == 4x", 8, "unexpected '4'"),
        ("age in [1 2]", 11, "unexpected `2` in the list that starts at character 8"),
        ("age in [persona]", 9, "unexpected `persona` in a list"),
        ("age in [1", 10, "unexpected end in the list"),
        ("persona matches age", 17, "needs a pattern in quotes"),
        ('persona matches "("', 17, "the pattern is wrong: missing )"),
        (r'persona matches "(a)\\1"', 17, "the pattern is wrong"),
        ('persona matches "((a{900}){900})"', 17, "the pattern is wrong"),
        ("labels[0]", 7, "unexpected `[`"),
        ("length persona", 8, "unexpected `persona`"),
        ("in", 1, "unexpected `in`"),
        ("age == 1; drop", 9, "unexpected ';'"),
        ("lambda: 0", 7, "unexpected ':'"),
        ('__import__("os")', 11, "unexpected `(`"),
        ('persona.__class__("x")', 18, "unexpected `(`"),
        ('f"{age}" == 1', 2, "unexpected"),
        ("x" * (CHARACTERS_MAX + 1), CHARACTERS_MAX + 1, "longer than"),
        ("(" * (DEPTH_MAX + 1) + "adult", DEPTH_MAX + 1, "nested more than"),
        ("not " * (DEPTH_MAX + 1) + "adult", 4 * DEPTH_MAX + 1, "nested more than"),
    ],
)
def test_a_wrong_expression_is_refused_with_its_place(text: str, place: int, what: str) -> None:
    with pytest.raises(WhereError) as caught:
        compile_where(text)
    assert what in str(caught.value)
    assert caught.value.place == place
    *_, shown, marker = ["", "", *caught.value.hint.split("\n  ")]
    if place <= len(text):
        assert text[place - 1].isspace() or shown[marker.index("^")] == text[place - 1]


def test_an_expression_tells_which_columns_it_looks_at() -> None:
    where = compile_where(f'meta.root == "x" or `{DEGREE}` contains "y" or length(a.`b.c`) > age')
    assert where.columns == {("meta", "root"), (DEGREE,), ("a", "b.c"), ("age",)}


def test_a_pattern_takes_linear_time_on_any_text() -> None:
    assert not holds('persona matches "(a+)+$"', {"persona": "a" * 200_000 + "b"})


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y"]), inner, max_size=2),
    max_leaves=6,
)
OPERATORS = ("==", "!=", "<", "<=", ">", ">=", "in", "not in", "contains")


OPERANDS = ("x", "y", "x.y", '"text"', "1.5", "true", "null", '["a", 1]', "length(x)", "lower(y)")
CONDITIONS = [compile_where(" ".join(words)) for words in product(OPERANDS, OPERATORS, OPERANDS)]


@given(st.dictionaries(st.sampled_from(["x", "y"]), VALUES))
@settings(max_examples=tries(100))
def test_no_row_makes_an_expression_fail(row: dict[str, Any]) -> None:
    for condition in (*CONDITIONS, compile_where('x matches "a|b"')):
        assert condition(row) in (True, False)


@given(st.text(max_size=40) | st.text(alphabet="ab.`\"'()[],<>=! andortinx01", max_size=40))
@settings(max_examples=tries(500))
def test_any_text_is_an_expression_or_is_refused(text: str) -> None:
    place = refused_at(text)
    assert place is None or 1 <= place <= len(text) + 1


def refused_at(text: str) -> int | None:
    try:
        assert compile_where(text)(ROW) in (True, False)
    except WhereError as error:
        return error.place
    return None


@pytest.mark.slow
def test_columns_nested_without_end_are_not_equal() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert not holds("x == y", {"x": deep, "y": [deep]})
