"""The faults that are error replies, as data: status, words, headers. How a body is shaped is the dialect's matter."""

import math
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import NamedTuple

from personastream.simulator.buckets import go_duration, rfc3339

HTML = b"text/html; charset=UTF-8"
DAILY_RESET_S = 6 * 3600.0
REDIRECT_TO = "http://redirected.invalid/v1/chat/completions"
"""Under a top-level domain that never resolves: whoever follows finds nobody there."""

Headers = Callable[[float, float], bytes]
"""Header lines for a pause of so many seconds, told at this time in seconds since 1970."""


class ErrorReply(NamedTuple):
    """What a client gets: `kind` is the error's type, `page` a title of HTML instead of JSON."""

    status: int
    message: str
    kind: str
    code: str | int | None = None
    headers: Headers | None = None
    page: str = ""


def _number(value_s: float) -> bytes:
    return b"%d" % value_s if value_s == int(value_s) else b"%.3f" % value_s


def _retry_after(pause_s: float, _: float) -> bytes:
    return b"retry-after: %b\r\n" % _number(pause_s)


def _retry_after_week(_: float, __: float) -> bytes:
    return b"retry-after: 604800\r\n"


def _retry_after_ms(pause_s: float, _: float) -> bytes:
    return b"retry-after-ms: %d\r\n" % math.ceil(pause_s * 1000)


def _retry_after_date(pause_s: float, now_s: float) -> bytes:
    return b"retry-after: %b\r\n" % formatdate(int(now_s) + math.ceil(pause_s), usegmt=True).encode()


def _reset_durations(pause_s: float, _: float) -> bytes:
    """The one that ends later counts."""
    return b"x-ratelimit-reset-requests: %b\r\nx-ratelimit-reset-tokens: %b\r\n" % (
        go_duration(pause_s / 2),
        go_duration(pause_s),
    )


def _reset_daily(_: float, __: float) -> bytes:
    return b"x-ratelimit-remaining-requests: 0\r\nx-ratelimit-reset-requests: %b\r\n" % go_duration(DAILY_RESET_S)


def _reset_seconds(pause_s: float, _: float) -> bytes:
    return b"x-ratelimit-reset: %d\r\n" % math.ceil(pause_s)


def _reset_epoch(pause_s: float, now_s: float) -> bytes:
    return b"x-ratelimit-reset: %d\r\n" % math.ceil(now_s + pause_s)


def _reset_rfc3339(pause_s: float, now_s: float) -> bytes:
    later = rfc3339(now_s + pause_s)
    return (
        b"anthropic-ratelimit-requests-remaining: 0\r\nanthropic-ratelimit-requests-reset: %b\r\n"
        b"anthropic-ratelimit-input-tokens-reset: %b\r\n" % (later, later)
    )


def hostile_headers(_: float, __: float) -> bytes:
    """Values that a parser must survive: not numbers, not finite, negative, huge, not ASCII, twice."""
    return (
        b"retry-after: NaN\r\nretry-after: -5\r\nretry-after-ms: 1e999\r\nx-ratelimit-reset-requests: 9h-3m\xff\xfe\r\n"
        b"x-ratelimit-reset-tokens: " + b"9" * 4000 + b"s\r\nx-ratelimit-remaining-requests: -1\r\n"
        b"x-ratelimit-limit-tokens: \xc2\xb2\r\nx-ratelimit-reset: 99999999999999999999\r\n"
        b"anthropic-ratelimit-requests-reset: 9999-99-99T99:99:99Z\r\nx-should-retry: perhaps\r\n"
    )


def _location(_: float, __: float) -> bytes:
    return b"location: %b\r\n" % REDIRECT_TO.encode()


_RATE = "Rate limit reached: too many requests."
_OVERLOADED = "Overloaded"


def _throttled(headers: Headers | None) -> ErrorReply:
    return ErrorReply(429, _RATE, "requests", "rate_limit_exceeded", headers)


def _page(status: int, title: str) -> ErrorReply:
    return ErrorReply(status, title, "", page=title)


ERRORS: Mapping[str, ErrorReply] = {
    "500": ErrorReply(500, "The server had an error while answering.", "server_error"),
    "502": _page(502, "502 Bad Gateway"),
    "504": ErrorReply(504, "The upstream server did not answer in time.", "timeout_error"),
    "520": _page(520, "520: Web server is returning an unknown error"),
    "521": _page(521, "521: Web server is down"),
    "522": _page(522, "522: Connection timed out"),
    "523": _page(523, "523: Origin is unreachable"),
    "524": _page(524, "524: A timeout occurred"),
    "525": _page(525, "525: SSL handshake failed"),
    "526": _page(526, "526: Invalid SSL certificate"),
    "html": _page(200, "Just a moment..."),
    "200-error": ErrorReply(200, "The upstream provider failed.", "server_error", 500),
    "408": ErrorReply(408, "The request took too long to arrive.", "timeout_error"),
    "409": ErrorReply(409, "Another request holds a lock.", "conflict_error"),
    "425": ErrorReply(425, "Too early.", "invalid_request_error"),
    "429": _throttled(_retry_after),
    "429-ms": _throttled(_retry_after_ms),
    "429-date": _throttled(_retry_after_date),
    "429-reset": _throttled(_reset_durations),
    "429-seconds": _throttled(_reset_seconds),
    "429-epoch": _throttled(_reset_epoch),
    "429-anthropic": _throttled(_reset_rfc3339),
    "429-bare": _throttled(None),
    "429-hostile": _throttled(hostile_headers),
    "503": ErrorReply(503, "The engine is overloaded for now.", "service_unavailable_error"),
    "503-pause": ErrorReply(
        503, "The engine is overloaded for now.", "service_unavailable_error", headers=_retry_after
    ),
    "503-loading": ErrorReply(503, "Loading model", "unavailable_error", 503),
    "503-queue": ErrorReply(503, "Server busy, please try again: the queue is full.", "api_error"),
    "529": ErrorReply(529, _OVERLOADED, "overloaded_error"),
    "200-429": ErrorReply(200, "The upstream provider is out of room.", "rate_limit_error", 429),
    "200-overloaded": ErrorReply(200, _OVERLOADED, "overloaded_error"),
    "500-overloaded": ErrorReply(500, _OVERLOADED, "overloaded_error"),
    "badrequest": ErrorReply(400, "This request is refused once.", "invalid_request_error"),
    "poison": ErrorReply(400, "This request is always refused.", "invalid_request_error", "invalid_prompt"),
    "too-long": ErrorReply(
        400, "The prompt is longer than the model's context.", "invalid_request_error", "context_length_exceeded"
    ),
    "too-long-500": ErrorReply(500, "The prompt exceeds the context size.", "exceed_context_size_error", 500),
    "400-filter": ErrorReply(
        400, "The prompt was filtered by the content policy.", "invalid_request_error", "content_filter"
    ),
    "413": ErrorReply(413, "The request is too large.", "request_too_large"),
    "422": ErrorReply(422, "The request cannot be processed.", "invalid_request_error"),
    "401": ErrorReply(401, "The API key is missing or wrong.", "invalid_request_error", "invalid_api_key"),
    "402": ErrorReply(402, "The account has no credit left.", "insufficient_quota", "credit_balance_exhausted"),
    "403": ErrorReply(403, "The key may not use this model.", "permission_error", "permission_denied"),
    "403-block": _page(403, "Error 1020: Access denied"),
    "404": ErrorReply(404, "The model does not exist.", "invalid_request_error", "model_not_found"),
    "429-quota": ErrorReply(429, "The quota is used up.", "insufficient_quota", "insufficient_quota"),
    "429-spend": ErrorReply(429, "The spend limit is reached.", "rate_limit_error", "enforced_spend_limit_reached"),
    "429-week": _throttled(_retry_after_week),
    "429-daily": ErrorReply(429, "The daily limit is reached.", "requests", "rate_limit_exceeded", _reset_daily),
    "redirect": ErrorReply(307, "Moved.", "invalid_request_error", headers=_location),
}
"""By name of the fault."""


def html_page(title: str) -> bytes:
    """A small page, as gateways and firewalls send it."""
    return f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n".encode()
