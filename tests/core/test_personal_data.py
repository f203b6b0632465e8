"""Personal data in texts: the figures of the generated sets, each kind once, and what must be left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.screen_texts import LOCALES, NEGATIVES, negatives, planted
from bench.screens import missed
from personastream.core.marks import redacted
from personastream.core.personal_data import KINDS, find
from personastream.samples import personas

PEOPLE = personas(500, 1)
TEXTS = st.lists(st.text(max_size=60) | st.text("0123456789 .-()+:@AX", max_size=60), max_size=6)


def marked(text: str) -> str:
    return redacted(text, find([text]).get(0, ()))


def test_what_is_planted_is_found() -> None:
    items = list(planted(700, PEOPLE, seed=3))
    assert {each.locale for each in items} == {*LOCALES, "-"}
    assert {each.kind for each in items} == {*KINDS}
    assert len(missed(items)) <= 0.02 * len(items)


def test_what_is_none_is_left_alone() -> None:
    clean = list(negatives(12 * len(NEGATIVES), PEOPLE, seed=3))
    assert len(find(clean)) <= 0.005 * len(clean)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to Jane.Doe+x@mail.example.co.uk today.", "Write to [email] today."),
        ("jane (at) example (dot) org", "[email]"),
        ("Card 4111 1111 1111 1111, thanks", "Card [card], thanks"),
        ("2021 paid by card 4111-1111-1111-1111", "2021 paid by card [card]"),
        ("to DE89 3704 0044 0532 0130 00 and on", "to [iban] and on"),
        ("call (415) 555-2671 or +49 30 123456-78", "call [phone] or [phone]"),
        ("phone: ０９０-１２３４-５６７８", "phone: [phone]"),
        ("मोबाइल ९८७६५ ४३२१०", "मोबाइल [phone]"),
        ("from 203.0.113.9 and 2001:db8::8a2e:370:7334", "from [ip_address] and [ip_address]"),
        ("key ghp_0123456789abcdefghijABCDEFGHIJ012345 ok", "key [api_key] ok"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "[api_key]"),
        ("NI no. AB 12 34 56 C", "NI no. [national_id]"),
        ("身份证号码11010519491231002X。", "身份证号码[national_id]。"),
        ("DNI 12345678Z.", "DNI [national_id]."),
    ],
)
def test_a_mark_takes_its_place(text: str, expected: str) -> None:
    assert marked(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "version 10.0.19041.1, or 3.11.7.2",
        "ISBN 978-3-16-148410-0",
        "order 4111 1111 1111 1112",
        "from 1914 to 1918, and 2010-2019",
        "on 05.11.2023 at 12:30:45",
        "git@github.com:a/b and logo@2x.png",
        "std::vector and 127.0.0.1",
        "sk-learn-is-not-a-key-but-a-library-of-words",
        "x = 3.14159265358979",
        "",
    ],
)
def test_what_looks_like_it_is_left_alone(text: str) -> None:
    assert marked(text) == text


@given(TEXTS)
def test_texts_are_judged_alone_whoever_stands_beside_them(texts: list[str]) -> None:
    together = find(texts)
    assert {place: find([text])[0] for place, text in enumerate(texts) if find([text])} == together


@given(TEXTS)
def test_places_are_in_order_and_apart(texts: list[str]) -> None:
    for place, found in find(texts).items():
        ends = [0, *(each.stop for each in found)]
        assert all(end <= each.start < each.stop for end, each in zip(ends, found, strict=False))
        assert ends[-1] <= len(texts[place])


def test_only_the_kinds_that_are_asked_for_are_found() -> None:
    text = "a@example.org or (415) 555-2671"
    assert [each.kind for each in find([text], ["phone"])[0]] == ["phone"]
