"""What tries to turn data into orders is found, and ordinary personas are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personastream.core.injection import KINDS, find
from personastream.core.marks import redacted
from personastream.samples import personas
from tests.support.hostile_texts import hostile


def test_every_attempt_is_found_as_what_it_is() -> None:
    attempts = hostile()
    assert len(attempts) >= 200
    assert {each.kind for each in attempts} == {*KINDS, ""}
    found = find([each.text for each in attempts])
    missed = [
        each
        for place, each in enumerate(attempts)
        if each.kind and each.kind not in {one.kind for one in found.get(place, ())}
    ]
    assert missed == []


def test_ordinary_personas_are_no_attempts() -> None:
    assert find(personas(3000, 2)) == {}


@pytest.mark.parametrize(
    "text",
    [
        "a teacher who follows every instruction and ignores gossip",
        "if x < 3 and y > 4, then List<String> is fine",
        "he said: the rules of chess, i.e. castling, are {a, b}",
        "one line\r\nanother\ta tab",
        "either/or, and/or, 24/7 at http://example.org/a/b",
        "a nurse 👩‍⚕️ and a résumé",
    ],
)
def test_what_only_looks_like_one_is_left_alone(text: str) -> None:
    assert find([text]) == {}


@given(st.lists(st.text(max_size=40) | st.sampled_from([each.text for each in hostile()]), max_size=5))
def test_a_text_is_judged_alone_and_loses_what_was_found(texts: list[str]) -> None:
    together = find(texts)
    assert {place: find([text])[0] for place, text in enumerate(texts) if find([text])} == together
    for place, found in together.items():
        assert len(redacted(texts[place], found)) == len(texts[place]) + sum(
            len(each.kind) + 2 - (each.stop - each.start) for each in found
        )
