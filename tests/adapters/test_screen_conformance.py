"""What every screen promises, proven for each. A new screen adds its line to `SCREENS`."""

import sys
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import anyio
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from personastream.build import known
from personastream.errors import ConfigError, RowError
from personastream.launch.endpoints import check_prices
from personastream.limits import Limits
from personastream.ports import Ask, Judgement, Screen
from personastream.providers.moderation import Moderation as Service
from personastream.providers.openai import Openai
from personastream.records import Completion, Request
from personastream.screens.canary import Canary
from personastream.screens.decontaminate import Decontaminate
from personastream.screens.guard_model import GuardModel
from personastream.screens.injection import Injection
from personastream.screens.moderation import CATEGORIES, Moderation
from personastream.screens.named_people import NamedPeople
from personastream.screens.personal_data import PersonalData
from personastream.screens.refusal import Refusal
from personastream.test_sets import Item
from tests.support.adapters import Forbidden
from tests.support.hostile_texts import hostile

BAD = "As an AI language model, Ada Lovelace, a countess, bad@example.org {{7*7}} ZEBRA"
"""What every screen finds something in, if the service that it asks does."""


class FromMemory(Decontaminate):
    """Its texts are in no file."""

    items = (Item("memory", 0, "Ada Lovelace, a countess"),)


SCREENS: Mapping[str, Callable[..., Screen]] = {
    "refusal": Refusal,
    "personal_data": PersonalData,
    "named_people": lambda **given: NamedPeople(provider="judge", **given),
    "moderation": lambda **given: Moderation(provider="judge", **given),
    "guard_model": lambda **given: GuardModel(provider="judge", **given),
    "injection": Injection,
    "canary": lambda **given: Canary(words=["ZEBRA"], **given),
    "decontaminate": lambda **given: FromMemory(against=["memory"], **given),
    "Forbidden": lambda **given: Forbidden(word="ZEBRA", **given),
}
ASKING = ("named_people", "moderation", "guard_model")


@pytest.fixture(params=SCREENS)
def make(request: pytest.FixtureRequest) -> Callable[..., Screen]:
    return SCREENS[request.param]


def judge(screen: Screen, texts: Sequence[str], ask: Ask | None = None) -> Sequence[Judgement]:
    async def run() -> Sequence[Judgement]:
        return await screen(texts, ask or sound)

    return anyio.run(run)


def completion(text: str) -> Completion:
    return Completion(text, "stop", "m", 1, 1, text.encode())


async def sound(request: Request) -> Completion:
    """A service that is asked about one or more texts in any of three ways."""
    if request.provider and request.user.count("<text>"):
        return completion("Ada Lovelace" if "Ada Lovelace" in request.user else "none")
    flags = ["ZEBRA" in text for text in (*request.history, request.user)]
    if request.parameters.get("max_tokens") == 32:
        return completion("unsafe\nS10" if any(flags) else "safe")
    results = [{"flagged": flag, "categories": {"hate": flag}, "scores": {"hate": float(flag)}} for flag in flags]
    return completion(orjson.dumps(results).decode())


async def nonsense(request: Request) -> Completion:
    """What a moderation provider raises for nonsense, and nonsense of a chat."""
    if not request.parameters:
        raise RowError("nonsense", reason="no_judgement")
    return completion("I would rather not say {}")


def test_every_screen_that_is_shipped_is_proven_here() -> None:
    assert set(known("screen")) <= set(SCREENS)


def test_it_has_a_name_and_says_when_it_judges(make: Callable[..., Screen]) -> None:
    screen = make()
    assert screen.name.isidentifier()
    assert screen.on in ("row", "reply", "both")
    assert screen.policy == "drop"


def test_what_is_bad_is_found_and_what_is_good_is_not(make: Callable[..., Screen]) -> None:
    found = judge(make(), ["a night nurse from Oslo", BAD])
    assert len(found) == 2
    assert any(each.reasons for each in found)
    for reason in (reason for each in found for reason in each.reasons):
        assert reason.isidentifier()
        assert reason == reason.lower()
    assert not any(each.reasons for each in judge(make(), ["a night nurse from Oslo"]))


def test_one_judgement_a_text_in_order(make: Callable[..., Screen]) -> None:
    assert len(judge(make(), ["x"] * 7)) == 7


def test_marks_take_the_place_of_what_was_found_or_redacting_is_refused(make: Callable[..., Screen]) -> None:
    if not getattr(make(), "PLACES", False):
        with pytest.raises(ConfigError, match="as a whole"):
            make(policy="redact")
        return
    (judgement,) = judge(make(policy="redact"), [BAD])
    assert judgement.redacted
    assert judgement.redacted != BAD


@given(st.lists(st.text(max_size=30) | st.sampled_from([each.text for each in hostile()]), min_size=1, max_size=4))
def test_no_text_does_harm(texts: list[str]) -> None:
    for make in SCREENS.values():
        assert len(judge(make(), texts)) == len(texts)


@pytest.mark.parametrize("name", ASKING)
def test_nonsense_is_asked_again_and_then_no_judgement(name: str) -> None:
    times = 0

    async def ask(request: Request) -> Completion:
        nonlocal times
        times += 1
        return await nonsense(request)

    with pytest.raises(RowError):
        judge(SCREENS[name](asks_max=4), ["a friend of Ada Byron"], ask)
    assert times == 4


@pytest.mark.parametrize("name", ASKING)
def test_sense_after_nonsense_will_do(name: str) -> None:
    times = 0

    async def ask(request: Request) -> Completion:
        nonlocal times
        times += 1
        return await (nonsense if times == 1 else sound)(request)

    assert not any(each.reasons for each in judge(SCREENS[name](), ["a friend of Ada Byron"], ask))
    assert times == 2


def test_many_texts_are_moderated_in_several_requests() -> None:
    sizes: list[int] = []

    async def ask(request: Request) -> Completion:
        sizes.append(1 + len(request.history))
        return await sound(request)

    found = judge(Moderation(texts_max=3), ["a", "b", "ZEBRA", "c", "d", "e", "ZEBRA"], ask)
    assert sizes == [3, 3, 1]
    assert [bool(each.reasons) for each in found] == [False, False, True, False, False, False, True]


def test_thresholds_and_categories_of_others() -> None:
    result: dict[str, Any] = {"flagged": True, "categories": {"new/kind": True, "hate": True}, "scores": {"hate": 0.3}}

    async def ask(request: Request) -> Completion:
        return completion(orjson.dumps([result]).decode())

    assert judge(Moderation(), ["x"], ask)[0].reasons == ("hate", "other")
    assert judge(Moderation(thresholds={"hate": 0.4}), ["x"], ask)[0].reasons == ("other",)
    assert {category.replace("/", "_").replace("-", "_").isidentifier() for category in CATEGORIES} == {True}


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: Moderation(thresholds={"hat": 0.5}), "thresholds has 'hat'"),
        (lambda: Moderation(thresholds={"hate": 2.0}), "thresholds has 'hate' = 2.0"),
        (lambda: GuardModel(prompt="no_such"), "is not there"),
        (lambda: PersonalData(kinds=["emails"]), "is not a list of kinds"),
        (lambda: PersonalData(kinds=[]), "is not a list of kinds"),
        (lambda: Injection(kinds=["sql"]), "is not a list of kinds"),
        (lambda: Canary(), "words is empty"),
    ],
)
def test_mistakes_are_told(made: Callable[[], Screen], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        made()


def test_presidio_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    with pytest.raises(ConfigError) as caught:
        PersonalData(backend="presidio")
    assert "pip install 'personastream[presidio]'" in caught.value.hint


def test_what_presidio_finds_stands_beside_what_patterns_find(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for the package, which is large: it knows one name."""

    class Result(NamedTuple):
        entity_type: str
        start: int
        end: int
        score: float

    def analyze(text: str, **_: object) -> list[Result]:
        start = text.find("Ada Lovelace")
        return [Result("PERSON", start, start + 12, 0.9)] if start >= 0 else []

    engine = SimpleNamespace(analyze=analyze)
    package = SimpleNamespace(AnalyzerEngine=lambda **_: engine)
    maker = SimpleNamespace(NlpEngineProvider=lambda **_: SimpleNamespace(create_engine=lambda: None))
    monkeypatch.setitem(sys.modules, "presidio_analyzer", package)
    monkeypatch.setitem(sys.modules, "presidio_analyzer.nlp_engine", maker)
    monkeypatch.setitem(sys.modules, "spacy", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "spacy.util", SimpleNamespace(is_package=lambda name: name == "small"))
    screen = PersonalData(backend="presidio", language_model="small")
    found = judge(screen, ["Ada Lovelace, a@example.org", "nobody"])
    assert found == [Judgement(("person", "email"), "[person], [email]"), Judgement()]
    with pytest.raises(ConfigError, match="'large' is not installed"):
        PersonalData(backend="presidio", language_model="large")


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "Math problem: I cannot write such a problem.",
        "Title: x\nAs an AI language model I have no views",
        "抱歉，我无法回答。",
    ],
)
def test_refusals_are_found_behind_an_opening_too(text: str) -> None:
    assert [each.reasons for each in judge(Refusal(), [text, "Math problem: A baker sold 3 loaves: how many?"])] == [
        ("refusal",),
        (),
    ]


def test_a_moderation_service_may_be_free_though_spending_has_a_ceiling() -> None:
    free, paid = Service("http://127.0.0.1:1/v1"), Openai("http://127.0.0.1:1/v1", "m", input_price=1.0)
    check_prices(Limits(spend_max=1.0), [free, paid])
    with pytest.raises(ConfigError, match="needs the prices"):
        check_prices(Limits(spend_max=1.0), [free, Openai("http://127.0.0.1:1/v1", "m")])


@pytest.mark.parametrize(
    "said",
    ["A nice problem.", "", "[]", "7", '[{"flagged": false}]', '[{"flagged": 0, "categories": {}, "scores": {}}]'],
)
def test_what_is_no_moderation_result_clears_no_text(said: str) -> None:
    async def ask(request: Request) -> Completion:
        return completion(said)

    with pytest.raises(RowError) as caught:
        judge(Moderation(), ["x"], ask)
    assert caught.value.reason == "no_judgement"
