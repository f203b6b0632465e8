"""What a chat-completions server answered, as a `Completion` or as the `AttemptError` that says what happens next."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from personastream.core.retry_after import retry_after_s
from personastream.errors import AttemptError, Refused, Throttled, Unauthorized, Unavailable
from personastream.records import Completion

MESSAGE_CHARACTERS_MAX = 300
BODY_BYTES_KEPT_MAX = 64 << 10
THROTTLING = frozenset({429, 503, 529})
REJECTING = frozenset({401, 402, 403, 404, 405})
PASSING = frozenset({408, 409, 425})
NO_QUOTA = frozenset({"insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached"})
TOO_LONG = frozenset({"context_length_exceeded", "exceed_context_size_error", "too_many_prompt_tokens"})
FILTERED = frozenset({"content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"})
STATUS_UNKNOWN = 502


def completion(body: bytes) -> Completion:
    """The completion in the body of a 200.

    Raises `Unavailable` if there is none, for such answers pass, or what `fault` says of an error that came instead.
    """
    try:
        reply = orjson.loads(body)
        if reply.get("error") and not reply.get("choices"):
            raise _fault("status 200 with an error", _status_inside(reply["error"]), {}, body)
        choice = reply["choices"][0]
        finish_reason = _text(choice.get("finish_reason"))
        if finish_reason == "error":
            raise Unavailable("a reply broke off: its finish_reason is error")
        # A content filter may leave the message out.
        message = choice["message"] if finish_reason != "content_filter" else choice.get("message") or {}
        text, refusal = message.get("content"), message.get("refusal")
        if text is not None and not isinstance(text, str):
            raise TypeError("content is not text")
        return Completion(
            text=text or "",
            finish_reason="refusal" if refusal and not text else finish_reason or "stop",
            model=_text(reply.get("model")),
            input_tokens=_count(reply, "prompt_tokens"),
            output_tokens=_count(reply, "completion_tokens"),
            body=body,
        )
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        start = body[:80].decode("utf-8", "replace")
        raise Unavailable(f"a reply with status 200 is no chat completion: {start!r}") from error


def fault(status: int, headers: Mapping[str, str], body: bytes) -> AttemptError:
    """What a status other than 200 means. `body` must be free of secrets: its start may be stored and shown."""
    return _fault(f"status {status}", status, headers, body)


def one_line(text: str) -> str:
    """Text from a server, so that it can neither move a cursor nor forge lines in a log."""
    return "".join(character if character.isprintable() else " " for character in text)


def _fault(what: str, status: int, headers: Mapping[str, str], body: bytes) -> AttemptError:
    labels, words = _error(body)
    message = f"{what}: {one_line(words[:MESSAGE_CHARACTERS_MAX])}"
    if labels & TOO_LONG:
        return Refused(message, reason="too_long", body=body[:BODY_BYTES_KEPT_MAX])
    if labels & FILTERED:
        return Refused(message, reason="refused", body=body[:BODY_BYTES_KEPT_MAX])
    if labels & NO_QUOTA or status in REJECTING:
        return Unauthorized(
            message, hint="Check the key, its quota, the model name, and base_url, which usually ends in /v1."
        )
    if 300 <= status < 400:
        return Unauthorized(
            f"{what}: the server redirects to {_host(headers)}",
            hint="Redirects are not followed, so that the key goes nowhere else: set base_url to the final address.",
        )
    if status in THROTTLING:
        return Throttled(message, retry_after_s=retry_after_s(headers))
    if 400 <= status < 500 and status not in PASSING:
        return Refused(message, reason="bad_request", body=body[:BODY_BYTES_KEPT_MAX])
    return Unavailable(message)


def _error(body: bytes) -> tuple[frozenset[str], str]:
    """(code and type, message) of an error body in OpenAI's shape; the start of any other body as the message."""
    try:
        error: Any = orjson.loads(body)["error"]
        if isinstance(error, str):
            return frozenset(), error
        return frozenset({_text(error.get("code")), _text(error.get("type"))}), _text(error.get("message"))
    except (ValueError, TypeError, KeyError, AttributeError):
        return frozenset(), body[:MESSAGE_CHARACTERS_MAX].decode("utf-8", "replace")


def _status_inside(error: object) -> int:
    """The status that an error inside a 200 names as its `status` or `code`."""
    named = (error.get("status"), error.get("code")) if isinstance(error, dict) else ()
    return next((each for each in named if isinstance(each, int) and 400 <= each < 600), STATUS_UNKNOWN)


def _host(headers: Mapping[str, str]) -> str:
    try:
        return one_line(urlsplit(headers.get("location", "")).hostname or "another path")[:MESSAGE_CHARACTERS_MAX]
    except ValueError:
        return "a broken address"


def _text(value: object) -> str:
    """Text from a server that may send anything, such as lists too deep to be shown."""
    return value if isinstance(value, str) else ""


def _count(reply: Mapping[str, object], name: str) -> int:
    """A token count from a server that may send anything."""
    usage = reply.get("usage")
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if type(value) is int and 0 <= value < 1 << 40 else 0
