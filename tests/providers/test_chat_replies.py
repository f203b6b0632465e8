"""A status, headers and a body become a completion, or the error that says what happens next."""

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.core.retry_after import retry_after_s
from personastream.errors import AttemptError, Refused, Throttled, Unauthorized, Unavailable
from personastream.providers.chat_replies import BODY_BYTES_KEPT_MAX, MESSAGE_CHARACTERS_MAX, completion, fault

DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


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
     b'{"choices": []}', b'{"choices": {}}', b'{"choices": [null]}', b'{"choices": [{}]}',
     b'{"choices": [{"message": null}]}', b'{"choices": [{"text": "completions, not chat"}]}',
     b'data: {"choices": []}\n\n', b"[" * 5000, b'{"choices": ' + b"[" * 1100 + b"]" * 1100 + b"}",
     reply(message={"content": [{"type": "text", "text": "a part"}]}), reply(message={"content": 7}),
     reply(finish_reason="error")],
)  # fmt: skip
def test_a_reply_that_is_no_completion_is_tried_again(body: bytes) -> None:
    with pytest.raises(Unavailable):
        completion(body)


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        ({"code": 429, "message": "slow down"}, Throttled),
        ({"code": 502, "message": "no provider"}, Unavailable),
        ({"code": 400, "message": "no"}, Refused),
        ({"code": 401, "message": "no"}, Unauthorized),
        ({"code": "content_filter", "status": 400, "message": "filtered"}, Refused),
        ({"code": "insufficient_quota", "message": "pay"}, Unauthorized),
        ({"code": 200, "message": "?"}, Unavailable),
        ({"code": True, "message": "?"}, Unavailable),
        ({"message": "?"}, Unavailable),
    ],
)
def test_an_error_inside_a_200_counts_as_what_it_is(keys: dict[str, Any], kind: type[AttemptError]) -> None:
    with pytest.raises(kind, match="status 200 with an error"):
        completion(error(**keys))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, Throttled) for status in (429, 503, 529)),
        *((status, Unauthorized) for status in (401, 402, 403, 404, 405, 300, 301, 302, 304, 307, 308)),
        *((status, Refused) for status in (400, 406, 410, 413, 415, 418, 422, 431, 451)),
        *((status, Unavailable) for status in (408, 409, 425, 500, 501, 502, 504, 520, 524, 526, 599, 999, 204, 101)),
    ],
)
def test_each_status_has_one_consequence(status: int, kind: type[AttemptError]) -> None:
    assert type(fault(status, {}, b"")) is kind


@pytest.mark.parametrize("status", [400, 403, 413, 429, 500])
@pytest.mark.parametrize(
    ("label", "kind", "reason"),
    [
        ("context_length_exceeded", Refused, "too_long"),
        ("exceed_context_size_error", Refused, "too_long"),
        ("too_many_prompt_tokens", Refused, "too_long"),
        ("content_filter", Refused, "refused"),
        ("content_policy_violation", Refused, "refused"),
        ("ResponsibleAIPolicyViolation", Refused, "refused"),
        ("insufficient_quota", Unauthorized, None),
        ("credit_balance_exhausted", Unauthorized, None),
        ("billing_hard_limit_reached", Unauthorized, None),
    ],
)
def test_a_known_label_outweighs_the_status_be_it_code_or_type(
    status: int, label: str, kind: type[AttemptError], reason: str | None
) -> None:
    for body in (error(code=label, message="m"), error(code=status, type=label), error(code=None, type=label)):
        found = fault(status, {}, body)
        assert type(found) is kind
        assert getattr(found, "reason", None) == reason


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (error(message="no"), "no"),
        (b'{"error": "no"}', "no"),
        (b'{"error": null}', '{"error": null}'),
        (b'{"error": ["no"]}', '{"error": ["no"]}'),
        (b'[{"error": "no"}]', '[{"error": "no"}]'),
        (b'{"detail": "no"}', '{"detail": "no"}'),
        (b'{"object": "error", "message": "no", "code": 400}', '{"object": "error", "message": "no", "code": 400}'),
        (b"<html>no</html>", "<html>no</html>"),
        (b"\xff\x00no", "\ufffd no"),
        (b"", ""),
        (error(message=7), ""),
        (error(message="a\r\nforged: all is well\x1b[2J\u202e\u2028"), "a  forged: all is well [2J  "),
        (error(message="x" * 5000), "x" * MESSAGE_CHARACTERS_MAX),
    ],
)
def test_an_error_body_of_any_shape_is_quoted_on_one_line(body: bytes, words: str) -> None:
    assert fault(500, {}, body).message == f"status 500: {words}"


def test_a_refusal_keeps_the_start_of_what_the_server_said() -> None:
    found = fault(400, {}, error(message="m" * BODY_BYTES_KEPT_MAX))
    assert isinstance(found, Refused)
    assert found.body == error(message="m" * BODY_BYTES_KEPT_MAX)[:BODY_BYTES_KEPT_MAX]


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://other.example/v1?key=secret#frag", "other.example"),
        ("/v1/elsewhere", "another path"),
        ("", "another path"),
        ("http://[::1", "a broken address"),
        ("http://a\x1b2Jb\u202e/", "a 2jb "),
        ("//" + "a" * 8000, "a" * MESSAGE_CHARACTERS_MAX),
    ],
)
def test_a_redirect_names_the_host_and_nothing_more(location: str, shown: str) -> None:
    assert fault(302, {"location": location}, b"").message == f"status 302: the server redirects to {shown}"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": DATE}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:27:00 GMT", "date": DATE}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30", "date": DATE}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "NaN"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e308"}, 1e308),
        ({"retry-after": "99999999"}, 99999999.0),
        ({"retry-after": ""}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "9" * 5000}, None),
        ({"retry-after": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "date": DATE}, None),
        ({"retry-after": "Mon, 01 Jan 2026 00:00:00 +99999999999999", "date": DATE}, None),
        ({}, None),
    ],
)
def test_every_form_of_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds
    found = fault(429, headers, b"")
    assert isinstance(found, Throttled)
    assert found.retry_after_s == seconds


words = st.sampled_from(["Mon,", "01", "Jan", "2026", "00:00:00", "GMT", "-9999", "9" * 30, "(", "<", ":", "-", "é"])


@given(st.text() | st.lists(words, max_size=7).map(" ".join), st.text() | st.just(DATE))
def test_no_header_breaks_the_reading_of_headers(value: str, date: str) -> None:
    fault(429, {"retry-after": value, "retry-after-ms": value, "date": date, "location": value}, b"")
    fault(302, {"location": value}, b"")


names = st.sampled_from(
    ["choices", "message", "content", "refusal", "finish_reason", "usage", "prompt_tokens", "model", "error", "code",
     "type", "status"]
)  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names | st.text(max_size=3), inner, max_size=6),
    max_leaves=8,
)


@settings(max_examples=50, deadline=None)
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
