"""Anthropic's Messages API, prompts that are cached, and prompts that are too long."""

from typing import Any

import orjson
import pytest

from personastream.simulator.behaviour import PROFILES, Behaviour
from personastream.simulator.service import Answer, Service

VERSION = {b"anthropic-version": b"2023-06-01"}
PERSONA = "\n<persona>\n{}\n</persona>\n"


def body(persona: str = "A nurse", *, before: str = "Be brief.", **more: Any) -> bytes:
    user = {"role": "user", "content": before + PERSONA.format(persona)}
    return orjson.dumps({"model": "m", "max_tokens": 500, "messages": [user], **more})


def ask(service: Service, sent: bytes, headers: dict[bytes, bytes] | None = None) -> Answer:
    return service.answer(sent, VERSION | (headers or {}), 0.0, dialect=service.messages, wall_s=1_800_000_000.0)


def test_a_message_has_text_usage_and_id() -> None:
    answer = ask(Service(Behaviour()), body(system=[{"type": "text", "text": "Be kind."}]))
    message = orjson.loads(answer.body)
    assert message["id"].startswith("msg_")
    assert (message["type"], message["role"], message["stop_reason"]) == ("message", "assistant", "end_turn")
    assert "nurse" in message["content"][0]["text"]
    assert (message["usage"]["input_tokens"], message["usage"]["output_tokens"]) == (
        answer.tokens.input,
        answer.tokens.output,
    )
    assert answer.headers.startswith(b"request-id: req_")


def test_the_key_and_the_version_are_demanded() -> None:
    service = Service(Behaviour(key="k"))
    assert ask(service, body()).status == 401
    assert ask(service, body(), {b"x-api-key": b"no"}).status == 401
    assert ask(service, body(), {b"x-api-key": b"k"}).status == 200
    without = service.answer(body(), {b"x-api-key": b"k"}, 0.0, dialect=service.messages)
    assert (without.status, b"anthropic-version" in without.body) == (400, True)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages.0"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        ({"system": 5}, "system"),
        ({"stream": True}, "stream"),
    ],
)
def test_a_wrong_message_is_named(wrong: dict[str, Any], named: str) -> None:
    answer = ask(Service(Behaviour()), body(**wrong))
    error = orjson.loads(answer.body)["error"]
    assert (answer.status, error["type"]) == (400, "invalid_request_error")
    assert named in error["message"]


def test_limits_are_told_in_headers_of_their_own() -> None:
    service = Service(Behaviour(requests_per_minute=60, output_tokens_per_minute=60_000, burst_s=1))
    answers = [ask(service, body(str(number))) for number in range(2)]
    assert b"anthropic-ratelimit-requests-limit: 60\r\n" in answers[0].headers
    assert b"anthropic-ratelimit-output-tokens-reset: 2027-01-15T08:0" in answers[0].headers
    assert answers[1].status == 429
    assert b"retry-after: " in answers[1].headers
    assert orjson.loads(answers[1].body)["error"]["type"] == "rate_limit_error"


def test_the_beginning_of_a_prompt_is_cached_the_second_time() -> None:
    service, long = Service(Behaviour()), "Think of the person below. " * 200
    first, second, other = (
        ask(service, body(persona, before=before))
        for persona, before in (("A nurse", long), ("A cook", long), ("A cook", long.upper()))
    )
    assert (first.tokens.cached, other.tokens.cached) == (0, 0)
    assert second.tokens.cached % 128 == 0
    assert 1024 <= second.tokens.cached < second.tokens.input
    usage = orjson.loads(second.body)["usage"]
    assert usage["cache_read_input_tokens"] == second.tokens.cached
    assert usage["input_tokens"] + usage["cache_read_input_tokens"] == second.tokens.input
    chat = service.answer(body("A judge", before=long), {}, 0.0)
    assert orjson.loads(chat.body)["usage"]["prompt_tokens_details"]["cached_tokens"] == second.tokens.cached


def test_short_prompts_are_not_cached_unless_wanted() -> None:
    for tokens_min, wanted in (1024, 0), (1, 3):
        service = Service(Behaviour(cache_tokens_min=tokens_min))
        assert [ask(service, body(persona)).tokens.cached for persona in ("A nurse", "A cook")] == [0, wanted]


def test_a_prompt_that_is_too_long_is_refused_or_cut_unsaid() -> None:
    refused = Service(Behaviour(context_tokens=50)).answer(body("x" * 1000), {}, 0.0)
    assert orjson.loads(refused.body)["error"]["code"] == "context_length_exceeded"
    cut = Service(Behaviour(context_tokens=50, truncates=True)).answer(body("x" * 1000), {}, 0.0)
    assert (cut.status, orjson.loads(cut.body)["usage"]["prompt_tokens"]) == (200, 50)
    assert Service(Behaviour(context_tokens=50)).answer(body("x"), {}, 0.0).status == 200


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_answers(name: str) -> None:
    service = Service(Behaviour(**PROFILES[name]))
    assert service.answer(body(), {}, 0.0).status in (200, 529)
