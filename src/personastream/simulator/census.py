"""Which request bodies were asked before, and what happened to all requests, in bounded memory. Pure."""

from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any

BODIES_MAX = 4_000_000
"""Bodies in one generation, about 100 bytes each; two generations are kept."""

_ANSWERED, _ONCE = 1, 2  # the lowest bit marks an answered body, the others count


class Census:
    """Counts how often each body was asked. At least the last `bodies_max` distinct ones are remembered."""

    def __init__(self, bodies_max: int = BODIES_MAX) -> None:
        self._bodies_max = bodies_max
        self._young: dict[int, int] = {}
        self._old: dict[int, int] = {}

    def ask(self, key: int) -> tuple[int, bool]:
        """Count one more request for the body with the hash `key`: (times asked before, whether answered before)."""
        seen = self._young.get(key)
        if seen is None:
            seen = self._old.get(key, 0)
            if len(self._young) >= self._bodies_max:
                self._young, self._old = {}, self._young
        self._young[key] = seen + _ONCE
        return seen // _ONCE, bool(seen & _ANSWERED)

    def mark_answered(self, key: int) -> None:
        """Note that this body has got a completion."""
        self._young[key] = (self._young.get(key) or self._old.get(key, _ONCE)) | _ANSWERED


@dataclass(slots=True)
class Stats:
    """Counters of chat requests. At any time `arrivals` is `in_flight` plus the sum of `outcomes`."""

    arrivals: int = 0
    repeats: int = 0
    repeats_of_answered: int = 0
    in_flight: int = 0
    in_flight_max: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    first_arrival_s: float | None = None
    last_arrival_s: float | None = None
    connections: int = 0
    connections_max: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)

    def arrived(self, now_s: float, asked_before: bool, answered_before: bool) -> None:
        """A chat request has been read; `now_s` is on the monotonic clock."""
        self.arrivals += 1
        self.repeats += asked_before
        self.repeats_of_answered += answered_before
        self.in_flight += 1
        if self.in_flight > self.in_flight_max:
            self.in_flight_max = self.in_flight
        if self.first_arrival_s is None:
            self.first_arrival_s = now_s
        self.last_arrival_s = now_s

    def ended(self, outcome: str, input_tokens: int = 0, output_tokens: int = 0) -> None:
        """A chat request has got its reply, or will get none; the tokens are those of a whole completion."""
        self.in_flight -= 1
        self.outcomes[outcome] += 1
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens

    def connected(self, change: int) -> None:
        """A connection has been opened (1) or closed (-1)."""
        self.connections += change
        self.connections_max = max(self.connections_max, self.connections)

    def snapshot(self) -> dict[str, Any]:
        """All counters by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)} | {"outcomes": dict(self.outcomes)}
