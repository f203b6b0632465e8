"""The body of a 200 becomes a completion, or the error that says what happens next."""

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.errors import AttemptError, NotFound, Refused, Throttled, Unauthorized, Unavailable
from personastream.providers.chat_replies import completion
from personastream.providers.faults import fault
from tests.support.effort import tries


def reply(**changes: Any) -> bytes:
    """A sound completion body with some keys changed; `message` and `finish_reason` go into the choice."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "Fine."}, "finish_reason": "stop"}
    choice |= {key: changes.pop(key) for key in ("message", "finish_reason") if key in changes}
    usage = {"prompt_tokens": 7, "completion_tokens": 2}
    return orjson.dumps({"model": "m", "choices": [choice], "usage": usage, **changes})


def error(**keys: Any) -> bytes:
    return orjson.dumps({"error": keys})


def test_a_sound_reply_is_a_completion() -> None:
    read = completion(reply())
    assert (read.text, read.finish_reason, read.model, read.input_tokens, read.output_tokens) == (
        ("Fine.", "stop", "m", 7, 2)
    )
    assert read.body == reply()
    assert (read.cached_tokens, read.headers) == (0, None)
    assert completion(reply(), {"x": "y"}).headers == {"x": "y"}


NO_CACHE: list[Any] = [None, 5, [], {}, {"cached_tokens": "64"}, {"cached_tokens": -1}]


def test_tokens_that_came_from_a_cache_are_counted() -> None:
    usage = {"prompt_tokens": 70, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 64}}
    assert completion(reply(usage=usage)).cached_tokens == 64
    for nonsense in NO_CACHE:
        assert completion(reply(usage=usage | {"prompt_tokens_details": nonsense})).cached_tokens == 0


@pytest.mark.parametrize(
    ("changes", "text", "finish_reason"),
    [
        ({"message": {"content": None}}, "", "stop"),
        ({"message": {"content": "Fine.", "refusal": "No."}}, "Fine.", "stop"),
        ({"message": {"content": None, "refusal": "No."}}, "", "refusal"),
        ({"message": {"content": "", "refusal": "No."}, "finish_reason": "content_filter"}, "", "refusal"),
        ({"message": {}}, "", "stop"),
        ({"finish_reason": None}, "Fine.", "stop"),
        ({"finish_reason": 3}, "Fine.", "stop"),
        ({"finish_reason": "length"}, "Fine.", "length"),
        ({"finish_reason": "eos"}, "Fine.", "stop"),
        ({"finish_reason": "model_length"}, "Fine.", "length"),
        ({"choices": []}, "", "stop"),
        ({"message": {"content": []}}, "", "stop"),
        (
            {
                "message": {
                    "content": [
                        {"type": "thinking", "thinking": "Hm."},
                        {"type": "text", "text": "Fi"},
                        {"type": "text", "text": "ne."},
                    ]
                }
            },
            "Fine.",
            "stop",
        ),
        ({"error": None}, "Fine.", "stop"),
        ({"error": {}}, "Fine.", "stop"),
    ],
)
def test_odd_but_usable_replies_are_used(changes: dict[str, Any], text: str, finish_reason: str) -> None:
    read = completion(reply(**changes))
    assert (read.text, read.finish_reason) == (text, finish_reason)


def test_a_content_filter_may_leave_the_message_out() -> None:
    read = completion(orjson.dumps({"choices": [{"finish_reason": "content_filter", "index": 0}]}))
    assert (read.text, read.finish_reason) == ("", "content_filter")


@pytest.mark.parametrize(
    "usage",
    [None, [], "12", 12, {}, {"prompt_tokens": -1}, {"prompt_tokens": "7"}, {"prompt_tokens": 2**63},
     {"prompt_tokens": 1e9}, {"prompt_tokens": True}, {"prompt_tokens": None}, {"prompt_tokens": [7]}],
)  # fmt: skip
def test_a_count_that_cannot_be_true_is_no_count_and_costs_no_reply(usage: Any) -> None:
    read = completion(reply(usage=usage))
    assert (read.text, read.input_tokens, read.output_tokens) == ("Fine.", 0, 0)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b'"text"', b"7", b"<html>", b"\xff\xfe", b"{}", b'{"choices": null}',
     b'{"choices": ""}', b'{"choices": {}}', b'{"choices": [null]}', b'{"choices": [{}]}',
     b'{"choices": [{"message": null}]}', b'{"choices": [{"text": "completions, not chat"}]}',
     b'data: {"choices": []}\n\n', b"[" * 5000, b'{"choices": ' + b"[" * 1100 + b"]" * 1100 + b"}",
     reply(message={"content": [{"type": "text"}]}), reply(message={"content": ["a part"]}),
     reply(message={"content": [{"type": "text", "text": 7}]}), reply(message={"content": 7}),
     reply(finish_reason="error")],
)  # fmt: skip
def test_a_reply_that_is_no_completion_is_tried_again_and_may_have_cost_something(body: bytes) -> None:
    with pytest.raises(Unavailable) as caught:
        completion(body)
    assert caught.value.billed


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        ({"code": 429, "message": "slow down"}, Throttled),
        ({"code": 502, "message": "no provider"}, Unavailable),
        ({"code": 400, "message": "no"}, Refused),
        ({"code": 401, "message": "no"}, Unauthorized),
        ({"code": "content_filter", "status": 400, "message": "filtered"}, Refused),
        ({"code": "insufficient_quota", "message": "pay"}, Unauthorized),
        ({"code": "429", "message": "slow down"}, Throttled),
        ({"type": "rate_limit_error"}, Throttled),
        ({"type": "overloaded_error"}, Throttled),
        ({"type": "invalid_request_error"}, Refused),
        ({"type": "authentication_error"}, Unauthorized),
        ({"type": "not_found_error"}, NotFound),
        ({"type": "api_error"}, Unavailable),
        ({"code": 404, "message": "no such model"}, NotFound),
        ({"code": 403, "message": "flagged", "metadata": {"flagged_input": "…"}}, Refused),
        ({"code": 200, "message": "?"}, Unavailable),
        ({"code": "9" * 5000, "message": "?"}, Unavailable),
        ({"code": "٤٢٩", "message": "?"}, Throttled),
        ({"code": True, "message": "?"}, Unavailable),
        ({"message": "?"}, Unavailable),
    ],
)
def test_an_error_inside_a_200_counts_as_what_it_is(keys: dict[str, Any], kind: type[AttemptError]) -> None:
    with pytest.raises(kind, match="status 200 with an error"):
        completion(error(**keys))


STREAMED = {
    "events": (b'data: {"choices": [{"delta": {"content": "Fi"}}]}\n\ndata: [DONE]\n', Unavailable),
    "events that keep alive": (b": PROCESSING\n\n: PROCESSING\n", Unavailable),
    "an overload": (b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error"}}\n', Throttled),
    "an overload behind text": (
        b'\n: PROCESSING\n\ndata: {"choices": []}\n\ndata: {"error": {"code": 429, "message": "later"}}\n',
        Throttled,
    ),
    "broken events": (b'data: {"error"\ndata: ["error"]\ndata: {"error": null}\n', Unavailable),
}


@pytest.mark.parametrize(("body", "kind"), STREAMED.values(), ids=STREAMED.keys())
def test_a_stream_of_events_is_no_completion_and_an_error_in_it_counts(body: bytes, kind: type[AttemptError]) -> None:
    with pytest.raises(kind) as caught:
        completion(body)
    assert getattr(caught.value, "billed", True)


names = st.sampled_from(
    ["choices", "message", "content", "refusal", "finish_reason", "usage", "prompt_tokens", "model", "error", "code",
     "type", "status", "details", "innererror", "metadata", "detail", "prompt_tokens_details", "text", "content"]
)  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names | st.text(max_size=3), inner, max_size=6),
    max_leaves=8,
)


@settings(max_examples=tries(50), deadline=None)
@given(st.dictionaries(names, values).map(lambda value: orjson.dumps(value)) | st.binary(), st.integers(0, 999))
def test_no_body_breaks_the_reading_of_bodies(body: bytes, status: int) -> None:
    assert isinstance(fault(status, {}, body), AttemptError)
    with suppress(AttemptError):
        completion(body)


@pytest.mark.parametrize("key", ["code", "type", "message", "status"])
def test_values_too_deep_to_be_shown_are_left_alone(key: str) -> None:
    deep = b"[" * 1000 + b"]" * 1000
    body = b'{"error": {"%b": %b}}' % (key.encode(), deep)
    assert isinstance(fault(500, {}, body), Unavailable)
    with pytest.raises(Unavailable):
        completion(body)
    read = completion(b'{"choices": [{"message": {"content": "x"}, "finish_reason": %b}], "model": %b}' % (deep, deep))
    assert (read.finish_reason, read.model) == ("stop", "")
