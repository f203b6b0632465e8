"""What an HTTP answer that brings no result means: the `AttemptError` that says what happens next.

Told by status and by the labels inside an error (codes, types), never by its words. The shapes of OpenAI, Anthropic,
Azure, Google, OpenRouter, llama.cpp, vLLM, Cohere and their gateways are read alike; docs/faults.md is the table.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson

from personastream.core.retry_after import duration_s, retry_after_s
from personastream.errors import AttemptError, NotFound, Refused, Throttled, Unauthorized, Unavailable

MESSAGE_CHARACTERS_MAX = 300
BODY_BYTES_KEPT_MAX = 64 << 10
OVERLOADED_PAUSE_S = 5.0
FORWARDED = "llm_provider-"
"""LiteLLM hands the headers of an error on under names that start like this, and without it only its own."""

THROTTLING = frozenset({429, 503, 529})
REJECTING = frozenset({401, 402, 403, 407})
ABSENT = frozenset({404, 405, 410})
PASSING = frozenset({408, 409, 424, 425, 499})
TIMED_OUT = frozenset({504, 524})
"""Somebody between us and the model lost patience; the model may have gone on, and be paid for it."""
STATUS_UNKNOWN = 502

NO_QUOTA = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "billing_hard_limit_reached",
        "enforced_spend_limit_reached",
        "budget_exceeded",
    }
)
BAD_KEY = frozenset({"invalid_api_key", "API_KEY_INVALID"})
NO_MODEL = frozenset({"model_not_found", "DeploymentNotFound"})
OVERLOADED = frozenset({"overloaded_error"})
TOO_LONG = frozenset(
    {"context_length_exceeded", "exceed_context_size_error", "too_many_prompt_tokens", "TOO_MANY_TOKENS"}
)
FILTERED = frozenset(
    {
        "content_filter",
        "content_policy_violation",
        "ResponsibleAIPolicyViolation",
        "invalid_prompt",
        "data_inspection_failed",
    }
)
STATUS_BY_LABEL = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "RESOURCE_EXHAUSTED": 429,
}
"""For errors that come without a status of their own. Beside one they say less than it does."""

KEY_HINT = "Check the key, its quota and its rights."
ADDRESS_HINT = "Check the model name, and base_url, which usually ends in /v1."
FIREWALL_HINT = "The service itself was not reached: its operator must let this machine through."
REDIRECT_HINT = "Redirects are not followed, so that the key goes nowhere else: set base_url to the final address."


class Told(NamedTuple):
    """What an error body tells: its labels, its words, whether this very input was found objectionable, a pause."""

    labels: frozenset[str]
    words: str
    flagged: bool = False
    pause_s: float | None = None
    status: int = STATUS_UNKNOWN


def fault(status: int, headers: Mapping[str, str], body: bytes) -> AttemptError:
    """What a status other than 200 means. `body` must be free of secrets: its start may be stored and shown."""
    return _fault(f"status {status}", status, headers, body, told(body))


def fault_inside(headers: Mapping[str, str], body: bytes) -> AttemptError:
    """What an error in the body of a 200 means."""
    found = told(body)
    return _fault("status 200 with an error", found.status, headers, body, found)


def fault_streamed(headers: Mapping[str, str], body: bytes) -> AttemptError | None:
    """What an error means that came as an event of a stream, in a 200; None if there is none."""
    return fault_inside(headers, body) if _streamed_error(body) is not None else None


def told(body: bytes) -> Told:
    """Read an error body, whatever its shape. One of no known shape is all words."""
    reply = _document(body)
    error = reply.get("error") if isinstance(reply, dict) else None
    source = error if isinstance(error, dict) else reply
    if not isinstance(source, dict):
        return Told(frozenset(), _start(body))
    words = error if isinstance(error, str) else source.get("message", source.get("detail"))
    labels = frozenset(_labels(source))
    metadata = source.get("metadata")
    return Told(
        labels,
        words if isinstance(words, str) else "" if source is error else _start(body),
        isinstance(metadata, dict) and "flagged_input" in metadata,
        next((duration_s(text(detail["retryDelay"])) for detail in _details(source) if "retryDelay" in detail), None),
        _status(source, labels),
    )


def one_line(words: str) -> str:
    """Text from a server, so that it can neither move a cursor nor forge lines in a log."""
    return "".join(character if character.isprintable() else " " for character in words)


def untraced(error: BaseException) -> BaseException:
    """The error, and what led to it, without the frames that they came through. In aiohttp connections, streams and
    lists of errors keep the error that ended them, and frames keep those: rings of up to 20 kB, which only the garbage
    collector would free, and that hardly ever comes (`launch/process.py`).
    """
    chain = [error]
    for link in chain:
        link.__traceback__ = None
        chain += [each for each in (link.__cause__, link.__context__) if each is not None and each not in chain]
    return error


def text(value: object) -> str:
    """Text from a server that may send anything, such as lists too deep to be shown."""
    return value if isinstance(value, str) else ""


def count(usage: object, name: str) -> int:
    """A token count from a server that may send anything."""
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if type(value) is int and 0 <= value < 1 << 40 else 0


def _fault(what: str, status: int, headers: Mapping[str, str], body: bytes, error: Told) -> AttemptError:
    message = f"{what}: {one_line(error.words[:MESSAGE_CHARACTERS_MAX])}"
    labels = error.labels
    if labels & TOO_LONG:
        return Refused(message, reason="too_long", body=body[:BODY_BYTES_KEPT_MAX])
    if labels & FILTERED or error.flagged:
        return Refused(message, reason="refused", body=body[:BODY_BYTES_KEPT_MAX])
    if labels & (NO_QUOTA | BAD_KEY):
        return Unauthorized(message, hint=KEY_HINT)
    if labels & OVERLOADED or status == 529:
        return Throttled(message, retry_after_s=_asked_pause_s(headers), pause_s=OVERLOADED_PAUSE_S)
    if labels & NO_MODEL or status in ABSENT:
        return NotFound(message, hint=ADDRESS_HINT)
    if status in THROTTLING:
        pause_s = _asked_pause_s(headers)
        return Throttled(message, retry_after_s=error.pause_s if pause_s is None else pause_s)
    return _by_status(what, message, status, headers, body)


def _asked_pause_s(headers: Mapping[str, str]) -> float | None:
    """The pause that the answer asks for, or else the one that a service behind a gateway asked the gateway for."""
    pause_s = retry_after_s(headers)
    if pause_s is not None:
        return pause_s
    lower = ((name.lower(), value) for name, value in headers.items())
    return retry_after_s({name.removeprefix(FORWARDED): value for name, value in lower if name.startswith(FORWARDED)})


def _by_status(what: str, message: str, status: int, headers: Mapping[str, str], body: bytes) -> AttemptError:
    if status == 403 and _is_page(headers, body):
        return Unauthorized(f"{what}: a firewall answered with a web page", hint=FIREWALL_HINT)
    if status in REJECTING:
        return Unauthorized(message, hint=KEY_HINT)
    if 300 <= status < 400:
        return Unauthorized(f"{what}: the server redirects to {_host(headers)}", hint=REDIRECT_HINT)
    if 400 <= status < 500 and status not in PASSING:
        reason = "too_long" if status == 413 else "bad_request"
        return Refused(message, reason=reason, body=body[:BODY_BYTES_KEPT_MAX])
    return Unavailable(message, billed=status in TIMED_OUT or 200 <= status < 300)


def _document(body: bytes) -> Any:
    """The JSON document of a body, the first of a list, or the first event of a stream that tells of an error."""
    try:
        document = orjson.loads(body)
    except ValueError:
        return _streamed_error(body)
    return document[0] if isinstance(document, list) and document else document


def _streamed_error(body: bytes) -> Any:
    """The error event of a stream of server-sent events, if it has one."""
    for line in body.splitlines():
        if line.startswith(b"data:") and b'"error"' in line:
            try:
                event = orjson.loads(line[5:])
            except ValueError:
                continue
            if isinstance(event, dict) and event.get("error"):
                return event
    return None


def _labels(error: Mapping[str, Any]) -> Iterator[str]:
    """Codes and types, wherever a service puts them."""
    yield from map(text, (error.get("code"), error.get("type"), error.get("error_type"), error.get("status")))
    inner = error.get("innererror")
    if isinstance(inner, dict):
        yield text(inner.get("code"))
    for detail in _details(error):
        yield from map(text, (detail.get("error_code"), detail.get("reason")))


def _details(error: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    details = error.get("details")
    yield from (each for each in (details if isinstance(details, list) else [details]) if isinstance(each, dict))


def _status(error: Mapping[str, Any], labels: frozenset[str]) -> int:
    """The status that an error names itself, as a number or by a label."""
    for named in (error.get("status"), error.get("code")):
        number = int(named) if isinstance(named, str) and named.isdecimal() and len(named) == 3 else named
        if isinstance(number, int) and 400 <= number < 600:
            return number
    return next((STATUS_BY_LABEL[label] for label in sorted(labels & STATUS_BY_LABEL.keys())), STATUS_UNKNOWN)


def _is_page(headers: Mapping[str, str], body: bytes) -> bool:
    return "html" in headers.get("content-type", "") or body.lstrip()[:1] == b"<"


def _start(body: bytes) -> str:
    return body[:MESSAGE_CHARACTERS_MAX].decode("utf-8", "replace")


def _host(headers: Mapping[str, str]) -> str:
    try:
        return one_line(urlsplit(headers.get("location", "")).hostname or "another path")[:MESSAGE_CHARACTERS_MAX]
    except ValueError:
        return "a broken address"
