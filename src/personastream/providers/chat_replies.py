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
TOO_LONG = frozenset({"context_length_exceeded", "exceed_context_size_error"})
FILTERED = frozenset({"content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"})


def completion(body: bytes) -> Completion:
    """The completion in the body of a 200. Raises `Unavailable` if there is none: such answers pass."""
    try:
        reply = orjson.loads(body)
        choice = reply["choices"][0]
        message = choice["message"]
        text, refusal = message.get("content"), message.get("refusal")
        finish_reason = choice.get("finish_reason")
        usage = reply.get("usage") or {}
        if not isinstance(text, str | None):
            raise TypeError("content is not text")
        return Completion(
            text=text or "",
            finish_reason="refusal" if refusal and not text else str(finish_reason or "stop"),
            model=str(reply.get("model") or ""),
            input_tokens=_count(usage.get("prompt_tokens")),
            output_tokens=_count(usage.get("completion_tokens")),
            body=body,
        )
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        start = body[:80].decode("utf-8", "replace")
        raise Unavailable(f"a reply with status 200 is no chat completion: {start!r}") from error


def fault(status: int, headers: Mapping[str, str], body: bytes) -> AttemptError:
    """What a status other than 200 means. `body` must be free of secrets: its start may be stored and shown."""
    code, words = _error(body)
    message = f"status {status}: {words[:MESSAGE_CHARACTERS_MAX]}"
    if code in NO_QUOTA or status in REJECTING:
        return Unauthorized(message, hint="Check the key, its quota, the model name and base_url.")
    if 300 <= status < 400:
        return Unauthorized(
            f"status {status}: the server redirects to {_host(headers)}",
            hint="Redirects are not followed, so that the key goes nowhere else: set base_url to the final address.",
        )
    if code in TOO_LONG:
        return Refused(message, reason="too_long", body=body[:BODY_BYTES_KEPT_MAX])
    if code in FILTERED:
        return Refused(message, reason="refused", body=body[:BODY_BYTES_KEPT_MAX])
    if status in THROTTLING:
        return Throttled(message, retry_after_s=retry_after_s(headers))
    if 400 <= status < 500 and status not in PASSING:
        return Refused(message, reason="bad_request", body=body[:BODY_BYTES_KEPT_MAX])
    return Unavailable(message)


def _error(body: bytes) -> tuple[str, str]:
    """(code, message) of an error body in OpenAI's shape; the start of any other body as the message."""
    try:
        error: Any = orjson.loads(body)["error"]
        if isinstance(error, str):
            return "", error
        return str(error.get("code") or error.get("type") or ""), str(error.get("message") or "")
    except (ValueError, TypeError, KeyError, AttributeError):
        return "", body[:MESSAGE_CHARACTERS_MAX].decode("utf-8", "replace")


def _host(headers: Mapping[str, str]) -> str:
    try:
        return urlsplit(headers.get("location", "")).hostname or "another path"
    except ValueError:
        return "a broken address"


def _count(value: object) -> int:
    """A token count from a server that may send anything."""
    return value if isinstance(value, int) and 0 <= value < 1 << 40 else 0
