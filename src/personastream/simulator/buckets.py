"""Requests- and tokens-per-minute limits as token buckets, and how a hosted API reports them.

OpenAI tells the limit per minute, what remains, and in what time the bucket is full again, as a Go duration;
Anthropic when it is. Pure: time is an argument.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

KINDS = ("requests", "tokens", "input-tokens", "output-tokens")
"""What can be limited; `tokens` are those of prompt and reply together."""

_NAMES = {kind: kind.encode() for kind in KINDS}


class Bucket:
    """A token bucket that starts full: it holds `burst_s` seconds of the rate, at least one unit.

    Over any W seconds it admits at most the rate times W plus its capacity.
    """

    __slots__ = ("_level", "_rate_per_s", "_refilled_s", "capacity", "per_minute")

    def __init__(self, per_minute: int, burst_s: float) -> None:
        self.per_minute = per_minute
        self.capacity = max(1.0, per_minute * burst_s / 60)
        self._rate_per_s = per_minute / 60
        self._level = self.capacity
        self._refilled_s = -math.inf

    def wait_s(self, amount: int, now_s: float) -> float:
        """Seconds until `amount` is there: 0 if it is, infinity if it exceeds the capacity."""
        level = self._refill(now_s)
        if amount > self.capacity:
            return math.inf
        return max(0.0, (amount - level) / self._rate_per_s)

    def take(self, amount: int) -> None:
        """Take what `wait_s` has just said is there."""
        self._level = max(0.0, self._level - amount)

    def remaining(self, now_s: float) -> int:
        """What is left, as a part of the limit per minute, whatever the capacity: so APIs report it."""
        return int(self.per_minute * self._refill(now_s) / self.capacity)

    def full_in_s(self, now_s: float) -> float:
        """Seconds until the bucket is full if nothing is taken."""
        return (self.capacity - self._refill(now_s)) / self._rate_per_s

    def share(self, now_s: float) -> float:
        """What is left, as a share of the capacity."""
        return self._refill(now_s) / self.capacity

    def fill(self, share: float, now_s: float) -> None:
        """Hold this share of the capacity from now on."""
        self._level, self._refilled_s = share * self.capacity, now_s

    def _refill(self, now_s: float) -> float:
        if now_s > self._refilled_s:
            gained = (now_s - self._refilled_s) * self._rate_per_s
            self._level = min(self.capacity, self._level + gained)
            self._refilled_s = now_s
        return self._level


class Refusal(NamedTuple):
    """Why a request is turned away: the limit, what was asked for and is left, when to try again.

    An infinite `wait_s` says that the request is larger than the bucket: it can never pass.
    """

    kind: str
    per_minute: int
    requested: int
    remaining: int
    wait_s: float


class RateLimits:
    """Limits per minute by kind; 0 turns one off. A request passes all of them or takes from none."""

    def __init__(self, per_minute: Mapping[str, int], burst_s: float) -> None:
        self._buckets = {kind: Bucket(per_minute[kind], burst_s) for kind in KINDS if per_minute.get(kind)}

    def __bool__(self) -> bool:
        return bool(self._buckets)

    def admit(self, input_tokens: int, output_tokens: int, now_s: float) -> Refusal | None:
        """Take one request and its tokens, or say which limit makes it wait longest."""
        amounts = {
            "requests": 1,
            "tokens": input_tokens + output_tokens,
            "input-tokens": input_tokens,
            "output-tokens": output_tokens,
        }
        longest_s, slowest = 0.0, ""
        for kind, bucket in self._buckets.items():
            wait_s = bucket.wait_s(amounts[kind], now_s)
            if wait_s > longest_s:
                longest_s, slowest = wait_s, kind
        if slowest:
            bucket = self._buckets[slowest]
            return Refusal(slowest, bucket.per_minute, amounts[slowest], bucket.remaining(now_s), longest_s)
        for kind, bucket in self._buckets.items():
            bucket.take(amounts[kind])
        return None

    def change(self, per_minute: Mapping[str, int], burst_s: float, now_s: float) -> None:
        """Set other limits. What a bucket holds stays the same share of its capacity."""
        old = self._buckets
        self._buckets = {kind: Bucket(per_minute[kind], burst_s) for kind in KINDS if per_minute.get(kind)}
        for kind, bucket in self._buckets.items():
            if kind in old:
                bucket.fill(old[kind].share(now_s), now_s)

    def openai_headers(self, now_s: float) -> bytes:
        """The `x-ratelimit-*` header lines of every limit that is on."""
        lines = b""
        for kind, bucket in self._buckets.items():
            name, remaining, full_in_s = _NAMES[kind], bucket.remaining(now_s), bucket.full_in_s(now_s)
            lines += b"x-ratelimit-limit-%b: %d\r\nx-ratelimit-remaining-%b: %d\r\nx-ratelimit-reset-%b: %b\r\n" % (
                name,
                bucket.per_minute,
                name,
                remaining,
                name,
                go_duration(full_in_s),
            )
        return lines

    def anthropic_headers(self, now_s: float, wall_s: float) -> bytes:
        """The same as Anthropic tells it; `wall_s` is now in seconds since 1970."""
        return b"".join(
            b"anthropic-ratelimit-%b-limit: %d\r\nanthropic-ratelimit-%b-remaining: %d\r\n"
            b"anthropic-ratelimit-%b-reset: %b\r\n"
            % (name, bucket.per_minute, name, bucket.remaining(now_s), name, rfc3339(wall_s + bucket.full_in_s(now_s)))
            for name, bucket in ((_NAMES[kind], bucket) for kind, bucket in self._buckets.items())
        )


def rfc3339(at_s: float) -> bytes:
    """A time in seconds since 1970, rounded up to a second, as `2026-01-01T00:00:00Z`."""
    return datetime.fromtimestamp(math.ceil(at_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()


def retry_headers(wait_s: float) -> bytes:
    """`retry-after` in whole seconds and `retry-after-ms`, both rounded up; nothing if waiting cannot help."""
    if math.isinf(wait_s):
        return b""
    return b"retry-after: %d\r\nretry-after-ms: %d\r\n" % (math.ceil(wait_s), math.ceil(wait_s * 1000))


def go_duration(duration_s: float) -> bytes:
    """A duration as Go prints it, rounded up to milliseconds: `0s`, `17ms`, `1.5s`, `6m0s`, `23h47m36.648s`."""
    milliseconds = math.ceil(duration_s * 1000)
    if milliseconds < 1000:
        return b"%dms" % milliseconds if milliseconds else b"0s"
    minutes, milliseconds = divmod(milliseconds, 60_000)
    seconds = f"{milliseconds / 1000:.3f}".rstrip("0").rstrip(".")
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds}s".encode()
    return f"{minutes}m{seconds}s".encode() if minutes else f"{seconds}s".encode()
