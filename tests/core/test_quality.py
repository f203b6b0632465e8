from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.quality import LIMITS, PERSONAS, SPOILT, read, spoilt
from personastream.core.quality import RULES, judge
from personastream.records import Batch, Shard
from personastream.transforms.quality import Quality
from tests.support.effort import tries

DEFAULT = [rule for rule in RULES if rule != "first_person"]
SAMPLES = [
    "A nurse from Almería who keeps bees.",
    "An AI researcher who writes about the ethics of language models and prompt design.",
    "a Java developer who loves List<String> & hates <3",
    "Sure-footed mountain guide in his sixties; was born in 1957, retired 1999-2004",
    "Here-and-now Buddhist teacher from Kyoto",
    "List manager of a mailing company who describes herself as sorry for nothing",
    "Certainly the oldest lock keeper on the canal",
    "An instruction designer who ignores trends",
    "I am a proud alumnus of a small college",
    "医生，喜欢画画。",
    "一位对不起家人的退休老船长，如今住在渡口",
    "ครูสอนภาษาไทยที่ชอบปลูกต้นไม้",
    "हिन्दी पढ़ाने वाला शिक्षक जो पहाड़ों में रहता है",
    "مهندس برمجيات يحب القهوة والشعر",
    "Человек, который собирает старые карты",
    "Une infirmière qui « n'a pas été » à Paris — l'été dernier",
    "O avô é um pescador de São João que NÃO sabe nadar",
    "A 42-year-old R&D chemist @ Bayer, C++ fan, 100% remote since 2020",
]


def dropped(text: str, **changes: bool | int) -> str:
    batch = Batch(Shard(0, "s", "s.jsonl", 0, ""), 0, 1, [0], [text], last=True)
    return "".join(Quality(**changes)(batch).dropped)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", SAMPLES)
def test_personas_of_all_languages_are_kept(text: str) -> None:
    assert dropped(text) == ""


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule in SPOILT])
def test_bad_rows_are_dropped_and_a_rule_can_be_switched_off(rule: str) -> None:
    bad = spoilt(rule, SAMPLES)
    caught = [bool(reason) for reason in judge(bad, [rule], *LIMITS)]
    assert sum(caught) >= 0.9 * len(bad)
    assert not any(reason == rule for reason in judge(bad, [other for other in RULES if other != rule], *LIMITS))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I'm sorry, but I can't help with that. <br>", "markup"),
        ("- I'm sorry, but I can't help with that.", "refusal"),
        ("Sure, here is a persona: write to a@b.example", "preamble"),
        ("\ud800 a nurse of some kind", "control_characters"),
        ("", "too_short"),
        ("x" * 1001, "too_long"),
        ("ha" + "a" * 900, "repeated_characters"),
    ],
)
def test_the_first_rule_that_is_broken_is_the_reason(text: str, reason: str) -> None:
    assert dropped(text) == reason


def test_first_person_is_a_matter_of_taste() -> None:
    assert dropped("I am a nurse who paints ships") == ""
    assert dropped("I am a nurse who paints ships", first_person=True) == "first_person"
    assert dropped("I'm sorry, but no", refusal=False) == ""
    assert dropped("A nurse", characters_min=8) == "too_short"
    assert dropped("医生们", characters_min=9) == ""


TEXTS = st.lists(
    st.sampled_from([*SAMPLES, *(form for forms in SPOILT.values() for form in forms)]) | st.text(max_size=40),
    max_size=60,
)


@settings(deadline=None, max_examples=tries(60))
@given(TEXTS)
def test_a_row_is_judged_by_itself(texts: list[str]) -> None:
    assert judge(texts, RULES, *LIMITS) == [judge([text], RULES, *LIMITS)[0] for text in texts]


def test_rows_are_judged_alike_however_many_there_are() -> None:
    texts = [text for rule in SPOILT for text in spoilt(rule, SAMPLES)]
    assert len(texts) > 2000
    reasons = judge(texts, RULES, *LIMITS)
    assert reasons[-700:] == judge(texts[-700:], RULES, *LIMITS)


@pytest.mark.skipif(not Path(PERSONAS).exists(), reason=f"needs the real personas in {PERSONAS}")
def test_real_personas_are_hardly_ever_dropped() -> None:
    texts = read(PERSONAS)
    reasons = [reason for reason in judge(texts, DEFAULT, *LIMITS) if reason]
    assert len(texts) == 5000
    assert reasons == ["not_a_persona"] * 2  # both end in a colon
