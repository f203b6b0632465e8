"""The messages API of Anthropic: what is sent, and what its replies and errors become."""

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.errors import AttemptError, NotFound, Refused, Throttled, Unauthorized, Unavailable
from personastream.providers.anthropic import INPUT_COUNTS, Anthropic, message
from personastream.records import Prices, Request
from tests.support.effort import tries
from tests.support.raw_server import http, raw_server


def reply(**changes: Any) -> bytes:
    sound = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "Fine."}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 7, "output_tokens": 2},
    }
    return orjson.dumps({**sound, **changes})


def error(kind: str, **more: Any) -> bytes:
    return orjson.dumps({"type": "error", "error": {"type": kind, "message": "no", **more}, "request_id": "r"})


async def exchanged(request: Request, answer: bytes, **changes: Any) -> tuple[bytes, dict[str, Any], object]:
    """(head and body of what was sent, completion or error) of one attempt."""
    async with raw_server(answer) as server:
        provider = Anthropic(base_url=server.base_url, model="m", api_key_env="NO_SUCH_KEY", **changes)
        outcome: object
        try:
            outcome = await provider.complete(request)
        except AttemptError as raised:
            outcome = raised
        finally:
            await provider.aclose()
        return server.heads[0].lower(), orjson.loads(server.bodies[0]), outcome


@pytest.mark.anyio
async def test_a_request_says_what_this_api_wants_and_nothing_that_it_refuses() -> None:
    parameters = {"max_tokens": 50, "temperature": 0.5, "seed": 3, "stop": "END"}
    head, body, read = await exchanged(Request("Be brief.", "Hello", parameters), http(200, reply()))
    assert head.startswith(b"post /v1/messages http/1.1\r\n")
    assert b"\r\nanthropic-version: 2023-06-01\r\n" in head
    assert body == {
        "model": "m",
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 50,
        "temperature": 0.5,
        "stop_sequences": ["END"],
    }
    assert getattr(read, "text", read) == "Fine."
    assert getattr(read, "headers", {})["Content-Type"] == "application/json"


@pytest.mark.anyio
async def test_what_the_request_leaves_open_is_filled_in() -> None:
    _, body, _ = await exchanged(Request("", "Hello", {"stop": ["A", "B"]}), http(200, reply()), max_tokens=77)
    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 77,
        "stop_sequences": ["A", "B"],
    }


@pytest.mark.parametrize(
    ("changes", "text", "finish_reason"),
    [
        ({}, "Fine.", "stop"),
        ({"stop_reason": "stop_sequence"}, "Fine.", "stop"),
        ({"stop_reason": None}, "Fine.", "stop"),
        ({"stop_reason": "max_tokens"}, "Fine.", "length"),
        ({"stop_reason": "model_context_window_exceeded"}, "Fine.", "length"),
        ({"stop_reason": "refusal", "content": []}, "", "refusal"),
        ({"stop_reason": "tool_use", "content": [{"type": "tool_use", "input": {}}]}, "", "tool_use"),
        (
            {"content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Fi"},
                         {"type": "text", "text": "ne."}]},
            "Fine.",
            "stop",
        ),
    ],
)  # fmt: skip
def test_a_message_is_a_completion(changes: dict[str, Any], text: str, finish_reason: str) -> None:
    read = message(reply(**changes))
    assert (read.text, read.finish_reason, read.model) == (text, finish_reason, "m")
    assert (read.input_tokens, read.output_tokens, read.cached_tokens) == (7, 2, 0)
    assert read.body == reply(**changes)


NO_USAGE: list[Any] = [None, [], "7", dict.fromkeys(INPUT_COUNTS, -1)]


def test_the_cache_is_part_of_the_input() -> None:
    usage = {"input_tokens": 7, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20, "output_tokens": 2}
    read = message(reply(usage=usage))
    assert (read.input_tokens, read.cached_tokens, read.output_tokens) == (127, 100, 2)
    for nonsense in NO_USAGE:
        assert message(reply(usage=nonsense))[3:5] == (0, 0)


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"<html>", b"{}", b'{"input_tokens": 14}', reply(content=None), reply(content=["text"]),
     reply(content=[{"type": "text"}]), reply(content=[{"type": "text", "text": 7}]), reply(content=7),
     b'event: message_start\ndata: {"type": "message_start"}\n\n', b"[" * 5000],
)  # fmt: skip
def test_a_reply_that_is_no_message_is_tried_again(body: bytes) -> None:
    with pytest.raises(Unavailable) as caught:
        message(body)
    assert caught.value.billed


SPENT = {"error_code": "enforced_spend_limit_reached"}
ERRORS: dict[str, tuple[int, bytes, type[AttemptError]]] = {
    "invalid request": (400, error("invalid_request_error"), Refused),
    "key": (401, error("authentication_error"), Unauthorized),
    "billing": (402, error("billing_error"), Unauthorized),
    "rights": (403, error("permission_error"), Unauthorized),
    "model": (404, error("not_found_error"), NotFound),
    "too large": (413, error("request_too_large"), Refused),
    "rate": (429, error("rate_limit_error"), Throttled),
    "spend limit": (429, error("rate_limit_error", details=SPENT), Unauthorized),
    "fault": (500, error("api_error"), Unavailable),
    "timeout": (504, error("timeout_error"), Unavailable),
    "overload": (529, error("overloaded_error"), Throttled),
    "overload under another status": (500, error("overloaded_error"), Throttled),
    "overload under 200": (200, error("overloaded_error"), Throttled),
    "overload in a stream": (200, b"event: error\ndata: " + error("overloaded_error") + b"\n\n", Throttled),
    "key under 200": (200, error("authentication_error"), Unauthorized),
}  # fmt: skip


@pytest.mark.anyio
@pytest.mark.parametrize(("status", "body", "kind"), ERRORS.values(), ids=ERRORS.keys())
async def test_an_error_says_what_happens_next(status: int, body: bytes, kind: type[AttemptError]) -> None:
    _, _, outcome = await exchanged(Request("", "Hello", {}), http(status, body))
    assert type(outcome) is kind


def test_what_is_kept_is_read_again_and_what_it_costs_is_told() -> None:
    provider = Anthropic("https://api.anthropic.com/v1", "m", input_price=3.0, cached_input_price=0.3, output_price=15)
    assert provider.parse(reply()) == message(reply())
    with pytest.raises(AttemptError):
        provider.parse(b"{}")
    assert provider.prices == Prices(3.0, 0.3, 15.0)
    assert provider.label == "api.anthropic.com:443 m"
    assert Anthropic("http://h/v1", "m", input_price=3.0).prices == Prices(3.0, 3.0, 0.0)


keys = st.sampled_from(["type", "content", "text", "stop_reason", "usage", "input_tokens", "model", "error", "message"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | keys,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=6),
    max_leaves=8,
)


@settings(max_examples=tries(50), deadline=None)
@given(st.dictionaries(keys, values).map(orjson.dumps) | st.binary())
def test_no_body_breaks_the_reading_of_messages(body: bytes) -> None:
    with suppress(AttemptError):
        message(body)
