"""What a moderations endpoint says, and what is no judgement at all; the official client agrees with the simulator."""

from collections.abc import Mapping
from typing import Any

import anyio
import openai
import orjson
import pytest

from personastream.errors import ConfigError, Refused, Throttled
from personastream.providers.moderation import NONSENSE, Moderation, judgements
from personastream.records import Request
from personastream.simulator.behaviour import Behaviour
from personastream.simulator.server import serve

CLEAN = {"flagged": False, "categories": {"hate": False}, "category_scores": {"hate": 0.01}}


def body(*results: Any) -> bytes:
    return orjson.dumps({"model": "m", "results": results})


def test_results_are_read_in_order() -> None:
    bad = {"flagged": True, "categories": {"hate": True, "illicit": None}, "category_scores": {"hate": 0.9}}
    said = orjson.loads(judgements(body(CLEAN, bad), 2).text)
    assert said == [
        {"flagged": False, "categories": {"hate": False}, "scores": {"hate": 0.01}},
        {"flagged": True, "categories": {"hate": True, "illicit": False}, "scores": {"hate": 0.9}},
    ]


def test_an_endpoint_need_not_give_scores() -> None:
    assert orjson.loads(judgements(body({"flagged": False, "categories": {}}), 1).text)[0]["scores"] == {}


WRONG: Mapping[str, bytes] = {
    "a page": b"<html>It works!</html>",
    "half of it": b'{"results": [{"flagged": fal',
    "nothing": b"",
    "a list": b"[]",
    "null": b"null",
    "no results": body(),
    "too many": body(CLEAN, CLEAN),
    "no list": b'{"results": {"flagged": false}}',
    "no objects": body("safe"),
    "no booleans": body({**CLEAN, "flagged": "no"}),
    "categories of text": body({**CLEAN, "categories": {"hate": "no"}}),
    "no categories": body({"flagged": False}),
    "wild scores": body({**CLEAN, "category_scores": {"hate": 7}}),
    "scores of text": body({**CLEAN, "category_scores": {"hate": "0.1"}}),
    "a chat": orjson.dumps({"choices": [{"message": {"content": "safe"}}]}),
    "too deep": b"[" * 5000,
}


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG.keys())
def test_anything_else_is_no_judgement(content: bytes) -> None:
    with pytest.raises(Refused) as caught:
        judgements(content, 1)
    assert caught.value.reason == NONSENSE


def test_an_error_inside_a_200_is_what_it_says() -> None:
    with pytest.raises(Throttled):
        judgements(b'{"error": {"type": "overloaded_error", "message": "busy"}}', 1)


def test_it_answers_nobody_who_does_not_ask_it_by_name() -> None:
    for settings in ({"reserved": False}, {"name": ""}):
        with pytest.raises(ConfigError, match="only who asks it by name"):
            Moderation("http://127.0.0.1:1/v1", **settings)


def test_the_simulator_says_what_a_text_says_of_itself() -> None:
    async def run() -> None:
        async with serve(Behaviour()) as simulator:
            provider = Moderation(simulator.base_url, api_key_env="PERSONASTREAM_NO_SUCH_KEY")
            request = Request("", "unsafe:violence", {}, "moderation", ("a baker", "unsafe:hate=0.4"))
            said = orjson.loads((await provider.complete(request)).text)
            await provider.aclose()
            assert [each["flagged"] for each in said] == [False, False, True]
            assert said[1]["scores"]["hate"] == 0.4
            async with openai.AsyncOpenAI(base_url=simulator.base_url, api_key="any") as client:
                official = await client.moderations.create(input=["a baker", "unsafe:self-harm/intent"])
            assert [each.flagged for each in official.results] == [False, True]
            assert official.results[1].categories.self_harm_intent

    anyio.run(run)
