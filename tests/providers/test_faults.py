"""A status, headers and a body become the error that says what happens next."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from personastream.core.retry_after import retry_after_s
from personastream.errors import AttemptError, NotFound, Refused, Throttled, Unauthorized, Unavailable
from personastream.providers.faults import BODY_BYTES_KEPT_MAX, MESSAGE_CHARACTERS_MAX, OVERLOADED_PAUSE_S, fault

DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


def error(**keys: Any) -> bytes:
    return orjson.dumps({"error": keys})


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, Throttled) for status in (429, 503, 529)),
        *((status, Unauthorized) for status in (401, 402, 403, 407, 300, 301, 302, 304, 307, 308)),
        *((status, NotFound) for status in (404, 405, 410)),
        *((status, Refused) for status in (400, 406, 413, 415, 418, 422, 431, 451)),
        *((status, Unavailable) for status in (408, 409, 424, 425, 499, 500, 501, 502, 504, 520, 524, 526, 599, 999)),
        *((status, Unavailable) for status in (100, 101, 201, 204, 206)),
    ],
)
def test_each_status_has_one_consequence(status: int, kind: type[AttemptError]) -> None:
    assert type(fault(status, {}, b"")) is kind


@pytest.mark.parametrize(
    ("status", "billed"), [(500, False), (502, False), (408, False), (504, True), (524, True), (204, True)]
)
def test_what_may_have_been_answered_without_us_may_have_cost_something(status: int, billed: bool) -> None:
    found = fault(status, {}, b"")
    assert isinstance(found, Unavailable)
    assert found.billed is billed


def test_what_is_too_large_is_too_long() -> None:
    assert getattr(fault(413, {}, b""), "reason", None) == "too_long"


def test_an_overload_waits_longer_than_a_limit_and_as_told_where_told() -> None:
    for found in (fault(529, {}, b""), fault(500, {}, error(type="overloaded_error"))):
        assert isinstance(found, Throttled)
        assert (found.retry_after_s, found.pause_s) == (None, OVERLOADED_PAUSE_S)
    told = fault(529, {"retry-after": "9"}, b"")
    assert isinstance(told, Throttled)
    assert told.retry_after_s == 9.0
    limited = fault(429, {}, b"")
    assert isinstance(limited, Throttled)
    assert limited.pause_s is None


def test_a_pause_in_the_body_counts_where_the_headers_name_none() -> None:
    body = error(status="RESOURCE_EXHAUSTED", details=[{"@type": "x"}, {"@type": "y", "retryDelay": "34.5s"}])
    for headers, pause_s in (({}, 34.5), ({"retry-after": "2"}, 2.0)):
        for sent in (body, b"[" + body + b"]"):
            found = fault(429, headers, sent)
            assert isinstance(found, Throttled)
            assert found.retry_after_s == pause_s


PAGE = b"<!DOCTYPE html><title>Attention Required!</title>"


@pytest.mark.parametrize(
    ("headers", "body"), [({"content-type": "text/html; charset=UTF-8"}, b""), ({}, PAGE), ({}, b"\n " + PAGE)]
)
def test_a_page_that_forbids_comes_from_a_firewall(headers: dict[str, str], body: bytes) -> None:
    found = fault(403, headers, body)
    assert type(found) is Unauthorized
    assert "firewall" in found.message
    assert "key" not in found.hint


@pytest.mark.parametrize("status", [400, 403, 413, 429, 500])
@pytest.mark.parametrize(
    ("label", "kind", "reason"),
    [
        ("context_length_exceeded", Refused, "too_long"),
        ("exceed_context_size_error", Refused, "too_long"),
        ("too_many_prompt_tokens", Refused, "too_long"),
        ("TOO_MANY_TOKENS", Refused, "too_long"),
        ("content_filter", Refused, "refused"),
        ("invalid_prompt", Refused, "refused"),
        ("data_inspection_failed", Refused, "refused"),
        ("content_policy_violation", Refused, "refused"),
        ("ResponsibleAIPolicyViolation", Refused, "refused"),
        ("insufficient_quota", Unauthorized, None),
        ("credit_balance_exhausted", Unauthorized, None),
        ("billing_hard_limit_reached", Unauthorized, None),
        ("enforced_spend_limit_reached", Unauthorized, None),
        ("invalid_api_key", Unauthorized, None),
        ("API_KEY_INVALID", Unauthorized, None),
        ("overloaded_error", Throttled, None),
        ("model_not_found", NotFound, None),
        ("DeploymentNotFound", NotFound, None),
    ],
)
def test_a_known_label_outweighs_the_status_wherever_it_stands(
    status: int, label: str, kind: type[AttemptError], reason: str | None
) -> None:
    for body in (
        error(code=label, message="m"),
        error(code=status, type=label),
        error(code=None, type=label),
        error(code="x", innererror={"code": label}),
        error(type="x", details={"error_code": label}),
        error(status="x", details=[{}, {"reason": label}]),
        orjson.dumps([{"error": {"code": label}}]),
        orjson.dumps({"error": "words", "code": label}),
        orjson.dumps({"message": "words", "error_type": label}),
        orjson.dumps({"type": "error", "error": {"type": label}}),
    ):
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
        (b'[{"error": "no"}]', "no"),
        (b"[]", "[]"),
        (b'{"detail": "no"}', "no"),
        (b'{"detail": [{"loc": 1}]}', '{"detail": [{"loc": 1}]}'),
        (b'{"object": "error", "message": "no", "code": 400}', "no"),
        (b'[{"error": {"message": "no"}}]', "no"),
        (b'{"error": "no", "message": "other"}', "no"),
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
        ({"retry-after": "1e308"}, None),
        ({"retry-after": "99999999"}, None),
        ({"x-ratelimit-reset-requests": "1m30.5s"}, 90.5),
        ({"anthropic-ratelimit-requests-reset": "2026-10-21T07:28:30Z", "date": DATE}, 30.0),
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
