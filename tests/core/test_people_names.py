"""Who a text presents as its person, who is only mentioned, and what is no person at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personastream.core.people_names import MENTIONED, PRESENTED, WELL_KNOWN, find, marked, may_name
from personastream.samples import personas


def named(text: str, *, mentioned: bool = False) -> list[tuple[str, str]]:
    return [(each.kind, text[each.start : each.stop]) for each in find([text], mentioned=mentioned).get(0, [])]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Laura Sonn, a former teacher from Ohio", "Laura Sonn"),
        ("I am Kiista P. Isaksen, a novelist", "Kiista P. Isaksen"),
        ("Tanja Mehlstäubler (born 1975) is a physicist", "Tanja Mehlstäubler"),
        ("A man named Greg Peters who enjoys humour", "Greg Peters"),
        ("The wife of Juan de la Cruz", "Juan de la Cruz"),
        ("Dr. Sophia Lee, a distinguished economist", "Dr. Sophia Lee"),
        ("Ein Mann namens Karl Weber", "Karl Weber"),
        ("Une femme nommée Claire Dubois", "Claire Dubois"),
        ("一位名叫王小明的医生", "王小明"),
        ("On Monday Laura Sonn, a former teacher, bought bread", "Laura Sonn"),
        ("Rick Monday, a former outfielder", "Rick Monday"),
        ("Monday Okpebholo, a governor", "Monday Okpebholo"),
        ("May Sinclair, a novelist", "May Sinclair"),
        ("Al Gore, a former senator", "Al Gore"),
    ],
)
def test_who_is_introduced_is_named(text: str, name: str) -> None:
    assert named(text) == [(PRESENTED, name)]


def test_well_known_people_are_named_wherever_they_are_not_only_admired() -> None:
    assert named("A bodyguard who travels with Taylor Swift") == [(WELL_KNOWN, "Taylor Swift")]
    assert named("与马云一起创业的工程师") == [(WELL_KNOWN, "马云")]
    assert named("a big fan of Taylor Swift") == []
    assert named("a big fan of Taylor Swift", mentioned=True) == [(MENTIONED, "Taylor Swift")]


@pytest.mark.parametrize(
    "text",
    [
        "A teacher at Boston College, a private university",
        "The Red Cross, an aid organisation",
        "Senior Engineer, a member of the team",
        "A traveller from New South Wales who loves Hong Kong",
        "a nurse who reads Jane Austen",
        "Eine Lehrerin, die in Bonn lebt",
        "一位在上海工作的医生",
        "On Monday, a third of the loaves was sold.",
        "A baker has 12 loaves. On Tuesday, a customer buys two",
        "By Late March, a quarter is left",
        "In June, the price fell",
        "Last Friday Night, a bus was late",
        "Monday Morning, a nurse counts pills",
        "Good Friday, a holiday",
        "However Much, a word",
        "In Paris, a third of them live",
        "Am Montag, der ein Feiertag ist",
        "Im Januar, der kalt war",
        "En France, un tiers",
        "Para España, una tercera parte",
    ],
)
def test_what_is_written_alike_is_no_person(text: str) -> None:
    assert named(text) == []


def test_ordinary_personas_name_nobody() -> None:
    people = personas(3000, 4)
    assert len(find(people)) <= 3


def test_a_model_need_not_be_asked_where_no_name_can_be() -> None:
    assert not may_name("a night nurse from Oslo")
    assert may_name("a friend of Ada Lovelace")
    assert may_name("一位医生")


def test_longer_names_are_marked_first() -> None:
    assert marked("Ada King and Ada", ["Ada", "Ada King"]) == "[person] and [person]"


@given(st.lists(st.text(max_size=50) | st.sampled_from(["Ada Lovelace, a countess", "named Bo Li"]), max_size=4))
def test_texts_are_judged_alone(texts: list[str]) -> None:
    assert {place: find([text])[0] for place, text in enumerate(texts) if find([text])} == find(texts)
