import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_128_intdigest

from personastream.core.constraints import COUNT_MAX, KINDS, Constraint, broken, drawn, found_in, telling
from personastream.simulator.replies import Writer, shipped_openings, take_apart

NUMBERS = st.integers(0, 2**128 - 1)

KEPT = [
    ("words_min", "80", "word " * 80, "word " * 79),
    ("words_max", "40", "one two-three four's", "word " * 41),
    ("sentences_max", "2", "It rains. It pours!", "पहले लिखें। फिर नापें। फिर देखें।"),
    ("paragraphs", "2", "one\n\ntwo", "one\ntwo"),
    ("bullets", "3", "These:\n- a\n- b\n* c", "- a\n- b"),
    ("numbered", "3", "1. a\n2) b\n3. c", "1. a\n3. b\n2. c"),
    ("sections", "2", "Part 1\na\n**Part 2**\nb", "Part 2\na\nPart 1\nb"),
    ("two_answers", "", "yes\n******\nno", "yes\n******\nyes"),
    ("keyword", "anchor", "The Anchor holds.", "The anchors hold."),
    ("keyword_twice", "anchor", "anchor, ANCHOR", "anchor anchor anchor"),
    ("word_absent", "very", "every day", "Very well."),
    ("begins", "In short", "**In short**, no.", "To be brief: In short"),
    ("ends", "Over to you.", "Yes. Over to you.", "Over to you. Bye"),
    ("postscript", "", "Dear all\n\nP.S. Rain.", "Dear all, P.S. is missing"),
    ("lower_case", "", "all of it: 3 ß", "All of it"),
    ("upper_case", "", "ALL 3", "ALL of it"),
    ("no_commas", "", "one; two", "一，二"),
    ("no_questions", "", "Why not.", "为什么？"),
    ("quoted", "", '"all of it"', '"all" of it'),
    ("placeholders", "2", "[name] on [date]", "[name] on []"),
    ("emphasis", "2", "*this* and *that one*", "**this** and *that*"),
    ("json", "", '```json\n{"a": 1}\n```', "[1]"),
    ("script", "Greek", "Καλημέρα σε όλους, ok", "Good morning, Καλημέρα"),
]


def test_every_kind_has_a_case_here() -> None:
    assert [kind for kind, *_ in KEPT] == list(KINDS)


@pytest.mark.parametrize(("kind", "value", "good", "bad"), KEPT)
def test_a_reply_keeps_a_constraint_or_breaks_it(kind: str, value: str, good: str, bad: str) -> None:
    constraint = Constraint(kind, value)
    assert broken([constraint], f"\n {good} ") == []
    assert broken([constraint], bad) == [constraint]
    assert not constraint.kept_by("") or kind in ("word_absent", "no_commas", "no_questions")


@given(NUMBERS)
def test_one_to_three_are_drawn_that_are_found_again_in_any_text(number: int) -> None:
    constraints = drawn(number)
    assert 1 <= len({one.kind for one in constraints}) == len(constraints) <= COUNT_MAX
    assert drawn(number) == constraints
    text = "Dear all! " + " By the way: ".join(one.sentence for one in constraints) + " Thank you."
    assert found_in(text) == constraints


@given(NUMBERS, st.integers(1, COUNT_MAX))
def test_as_many_are_drawn_as_are_wanted(number: int, count: int) -> None:
    assert len(drawn(number, count)) == count


def test_every_kind_and_number_is_drawn_now_and_then() -> None:
    found = [drawn(xxh3_128_intdigest(f"{seed}".encode())) for seed in range(600)]
    assert {one.kind for constraints in found for one in constraints} == set(KINDS)
    counts = [len(constraints) for constraints in found]
    assert all(150 < counts.count(count) < 250 for count in (1, 2, 3))


def test_what_is_drawn_together_can_be_kept_together() -> None:
    """The simulated model keeps all but the few that it breaks on purpose."""
    writer, kept, natural = Writer(0, 120, shipped_openings()), 0, 0
    for seed in range(400):
        number = xxh3_128_intdigest(f"{seed}".encode())
        constraints = drawn(number)
        asked = take_apart("", "How do I sort herbs? " + " ".join(one.sentence for one in constraints))
        reply = writer.write(number >> 64, asked, None).text or ""
        kept += not broken(constraints, reply)
        uninformed = writer.write(number >> 64, take_apart("", "How do I sort herbs? Answer in Chinese, or so."), None)
        natural += any(one.kept_by(uninformed.text or "") for one in telling(constraints))
    assert kept >= 0.94 * 400
    assert natural <= 0.25 * 400


def test_sentences_are_whole_and_name_their_value_once() -> None:
    for kind in KINDS.values():
        assert re.fullmatch(r"[A-Z].*\.", kind.sentence)
        assert kind.sentence.count("{}") == (kind.values != ("",))
