"""Which request bodies were asked before, and what happened to all requests, in bounded memory. Pure."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from personastream.simulator.dialect import Tokens

BODIES_MAX = 4_000_000
"""Bodies in one generation, about 100 bytes each; two generations are kept."""

# One integer a body: 20 bits of answers, 20 bits of completions, and above them how often it was asked.
_GENERATED_BIT, _ASKED_BIT = 20, 40
_ANSWERED, _GENERATED, _ASKED = 1, 1 << _GENERATED_BIT, 1 << _ASKED_BIT
_COUNT = _GENERATED - 1


class Seen(NamedTuple):
    """How often a body was asked, how often a completion was generated for it, and how often one was sent in whole."""

    asked: int
    generated: int
    answered: int


class Census:
    """Counts what happened to each body. At least the last `bodies_max` distinct ones are remembered."""

    def __init__(self, bodies_max: int = BODIES_MAX) -> None:
        self.bodies = 0
        self.bodies_generated = 0
        self.bodies_generated_again = 0
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
        if not seen:
            self.bodies += 1
        self._young[key] = seen + _ASKED
        return seen >> _ASKED_BIT, bool(seen & _COUNT)

    def mark(self, key: int, *, answered: bool) -> None:
        """Note that a completion was generated for this body, and whether it was sent in whole."""
        seen = self._young.get(key) or self._old.get(key, _ASKED)
        before = seen >> _GENERATED_BIT & _COUNT
        self.bodies_generated += before == 0
        self.bodies_generated_again += before == 1
        self._young[key] = seen + _GENERATED + (_ANSWERED if answered else 0)

    def __iter__(self) -> Iterator[tuple[int, Seen]]:
        """All bodies that are remembered, by hash."""
        for key, seen in {**self._old, **self._young}.items():
            yield key, Seen(seen >> _ASKED_BIT, seen >> _GENERATED_BIT & _COUNT, seen & _COUNT)


@dataclass(slots=True)
class Stats:
    """Counters of chat requests. At any time `arrivals` is `in_flight` plus the sum of `outcomes`.

    `input_tokens` and `output_tokens` are those of completions sent in whole. The `generated_…` counters are what a
    service would charge: completions made, whether or not the client got them. The `abandoned_…` ones belong to
    requests whose client left before their completion was made. `calls` counts all other requests, by what they ask.
    """

    arrivals: int = 0
    repeats: int = 0
    repeats_of_answered: int = 0
    in_flight: int = 0
    in_flight_max: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    generated: int = 0
    generated_input_tokens: int = 0
    generated_cached_tokens: int = 0
    generated_output_tokens: int = 0
    abandoned: int = 0
    abandoned_input_tokens: int = 0
    abandoned_output_tokens: int = 0
    first_arrival_s: float | None = None
    last_arrival_s: float | None = None
    connections: int = 0
    connections_max: int = 0
    connections_opened: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)

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

    def ended(self, outcome: str) -> None:
        """A chat request has got its reply, or will get none."""
        self.in_flight -= 1
        self.outcomes[outcome] += 1

    def made(self, tokens: Tokens, *, whole: bool) -> None:
        """A completion was generated, and sent in `whole` or not."""
        self.generated += 1
        self.generated_input_tokens += tokens.input
        self.generated_cached_tokens += tokens.cached
        self.generated_output_tokens += tokens.output
        if whole:
            self.input_tokens += tokens.input
            self.output_tokens += tokens.output

    def left(self, tokens: Tokens) -> None:
        """A client left before its completion of so many tokens was made."""
        self.abandoned += 1
        self.abandoned_input_tokens += tokens.input
        self.abandoned_output_tokens += tokens.output

    def connected(self, change: int) -> None:
        """A connection has been opened (1) or closed (-1)."""
        self.connections += change
        self.connections_opened += change > 0
        self.connections_max = max(self.connections_max, self.connections)

    def snapshot(self) -> dict[str, Any]:
        """All counters by name."""
        shown = {each.name: getattr(self, each.name) for each in fields(self)}
        return shown | {"outcomes": dict(self.outcomes), "calls": dict(self.calls)}
