"""Requests- and tokens-per-minute limits as token buckets, and how a hosted API reports them.

The headers are OpenAI's: limit per minute, what remains, and when the bucket is full again, as a Go duration.
Pure: time is an argument.
"""

import math
from typing import NamedTuple


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
    """Both limits together; 0 turns one off. A request passes both or takes from neither."""

    def __init__(self, requests_per_minute: int, tokens_per_minute: int, burst_s: float) -> None:
        named = {"requests": requests_per_minute, "tokens": tokens_per_minute}
        self._buckets = {kind: Bucket(rate, burst_s) for kind, rate in named.items() if rate}

    def __bool__(self) -> bool:
        return bool(self._buckets)

    def admit(self, tokens: int, now_s: float) -> Refusal | None:
        """Take one request and `tokens` tokens, or say which limit makes it wait longest."""
        wanted = {"requests": 1, "tokens": tokens}
        waits = {kind: bucket.wait_s(wanted[kind], now_s) for kind, bucket in self._buckets.items()}
        kind = max(waits, key=waits.__getitem__, default=None)
        if kind is not None and waits[kind] > 0:
            bucket = self._buckets[kind]
            return Refusal(kind, bucket.per_minute, wanted[kind], bucket.remaining(now_s), waits[kind])
        for kind, bucket in self._buckets.items():
            bucket.take(wanted[kind])
        return None

    def headers(self, now_s: float) -> bytes:
        """The `x-ratelimit-*` header lines of every limit that is on."""
        return b"".join(
            b"x-ratelimit-limit-%b: %d\r\nx-ratelimit-remaining-%b: %d\r\nx-ratelimit-reset-%b: %b\r\n"
            % (name, bucket.per_minute, name, bucket.remaining(now_s), name, go_duration(bucket.full_in_s(now_s)))
            for name, bucket in ((kind.encode(), bucket) for kind, bucket in self._buckets.items())
        )


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
