"""How long the headers of an HTTP answer ask us to wait. Names in lower case, unless the mapping ignores case.

Servers tell time in every way there is: seconds, HTTP dates (RFC 9110, 10.2.3), RFC 3339, Unix time, and durations
as Go writes them. Points in time are compared with the answer's own `date`, so that a wrong local clock does no harm;
without that header they say nothing. What nobody can mean counts as absent.
"""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

UNIX_S = (1e9, 1e11)
UNIX_MS = (1e12, 1e14)
WAIT_S_MAX = 31 * 86_400.0
"""The longest quotas are monthly. A number up to this is a wait in seconds; far above lies Unix time."""
CHARACTERS_MAX = 64
UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
GO_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)")
BUDGETS = (
    "x-ratelimit-{}-requests",
    "x-ratelimit-{}-tokens",
    "x-ratelimit-{}",
    "ratelimit-{}",
    "anthropic-ratelimit-requests-{}",
    "anthropic-ratelimit-tokens-{}",
    "anthropic-ratelimit-input-tokens-{}",
    "anthropic-ratelimit-output-tokens-{}",
)
"""Each has one header that says what remains, and one for when it is full or open again (`reset`)."""


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by `retry-after-ms`, else `retry-after`, else the resets of the rate limits; else None.

    Of the rate limits count those that are used up; where none says so, those that do not tell what remains. The
    latest of these is waited for. If all have something left, the earliest: this request alone was too large for it.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None and milliseconds / 1000 <= WAIT_S_MAX:
        return milliseconds / 1000
    seconds = seconds_until(headers.get("retry-after", ""), headers.get("date"))
    if seconds is not None:
        return seconds
    resets = list(_resets(headers))
    used_up = [reset_s for reset_s, remaining in resets if remaining == 0]
    untold = [reset_s for reset_s, remaining in resets if remaining is None]
    return max(used_up or untold, default=min((reset_s for reset_s, _ in resets), default=None))


def seconds_until(value: str, date_header: str | None) -> float | None:
    """Seconds to a moment that a header names in any form, or by how long it is off; 0 if it has passed.

    `date_header` is the answer's own date, if it has one. None if the value means nothing.
    """
    number = _number(value)
    if number is not None and number <= WAIT_S_MAX:
        return number
    wait_s = duration_s(value)
    if wait_s is None:
        until, now = _moment(value, number), _date(date_header or "")
        if until is None or now is None:
            return None
        wait_s = max(0.0, (until - now).total_seconds())
    return wait_s if wait_s <= WAIT_S_MAX else None


def duration_s(value: str) -> float | None:
    """Seconds of a duration such as `17ms`, `1s`, `6m0s` or `23h47m36.648s`; None if it is none."""
    text = value.strip()
    parts = GO_PART.findall(text) if len(text) <= CHARACTERS_MAX else []
    if not parts or sum(len(number) + len(unit) for number, unit in parts) != len(text):
        return None
    return math.fsum(float(number) * UNITS_S[unit] for number, unit in parts)


def _resets(headers: Mapping[str, str]) -> Iterator[tuple[float, float | None]]:
    """(seconds until it is reset, what remains) of each rate limit that the headers tell of."""
    for name in BUDGETS:
        reset = headers.get(name.format("reset"))
        if reset is not None:
            reset_s = seconds_until(reset, headers.get("date"))
            if reset_s is not None:
                yield reset_s, _number(headers.get(name.format("remaining"), ""))


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _moment(value: str, number: float | None) -> datetime | None:
    """A point in time: Unix time in seconds or milliseconds, RFC 3339, or an HTTP date."""
    if number is not None:
        if UNIX_S[0] <= number < UNIX_S[1]:
            return datetime.fromtimestamp(number, UTC)
        return datetime.fromtimestamp(number / 1000, UTC) if UNIX_MS[0] <= number < UNIX_MS[1] else None
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return _date(value)
    return moment if moment.tzinfo is not None else None


def _date(value: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return parsed if parsed.tzinfo is not None else None
