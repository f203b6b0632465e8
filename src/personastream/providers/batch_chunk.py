"""Chunks of requests that go as one batch, and who asks for what is in them. No I/O.

A request is known by the hash of its body, so one that is asked again after a restart finds the chunk that holds it
already, and is not paid for twice. Requests with the same body are told apart within a chunk by a number.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import anyio
from xxhash import xxh3_128_hexdigest

from personastream.errors import AttemptError, Unreachable

NOTHING_DONE = "Nothing of this batch was done or is to be paid. Check model, batch_requests and batch_bytes_max."

TAG_CHARACTERS = 12
"""Of a chunk's name, in the id of each of its requests: so its answers are known by themselves."""


class Span(NamedTuple):
    """Where in a file a line is, in bytes."""

    offset: int
    length: int


@dataclass(slots=True, eq=False)
class Chunk:
    """`lines` are what is collected and not on the disk yet; `ids` are the custom ids of all lines once it is.

    `service` is where it goes, `batch` the id it has there. It may have been created there, unknown to us, if it is
    `in_doubt`. When it has ended, `answers` tells where the answers are; requests without one failed as `flaws` says,
    or else as `otherwise` says. `failure` is why it could not go on, and `failures` how often that was. `first_s` and
    `last_s` are when requests came, on the monotonic clock; `created_s` is in seconds since 1970. `waiters` are those
    who want its answers, `downloads_short` is how often some were missing.
    """

    name: str
    service: str
    created_s: float
    lines: dict[str, bytes] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)
    size_bytes: int = 0
    sha256: str = ""
    upload: str = ""
    downloads_short: int = 0
    batch: str = ""
    in_doubt: bool = False
    answers: Mapping[str, Span] | None = None
    flaws: Mapping[str, AttemptError] = field(default_factory=dict)
    otherwise: AttemptError = field(default_factory=lambda: Unreachable("a batch ended without this request"))
    failure: AttemptError | None = None
    failures: int = 0
    waiters: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    full: anyio.Event = field(default_factory=anyio.Event)
    turn: anyio.Lock = field(default_factory=anyio.Lock)
    _copies: Counter[str] = field(default_factory=Counter)

    def next_id(self, key: str) -> str:
        """A custom id of its own, of the characters and the length that all services allow."""
        self._copies[key] += 1
        return f"{key}-{self.name[-TAG_CHARACTERS:]}-{self._copies[key] - 1}"

    def add(self, custom_id: str, line: bytes, now_s: float) -> None:
        """Collect one more."""
        if not self.lines:
            self.first_s = now_s
        self.lines[custom_id] = line
        self.size_bytes += len(line)
        self.last_s = now_s

    def remove(self, custom_id: str) -> None:
        """Leave out a request while it is being collected."""
        self.size_bytes -= len(self.lines.pop(custom_id))


class Place(NamedTuple):
    """One request of a chunk."""

    chunk: Chunk
    custom_id: str


def key_of(body: bytes) -> str:
    """What a request is known by."""
    return xxh3_128_hexdigest(body)


class FreePlaces:
    """Places nobody waits for: of earlier lives, and of attempts that were given up."""

    def __init__(self) -> None:
        self._places: defaultdict[str, list[Place]] = defaultdict(list)

    def add(self, place: Place) -> None:
        """Somebody may ask for this."""
        self._places[place.custom_id.partition("-")[0]].append(place)

    def take(self, key: str) -> Place | None:
        """The place of such a request, if one is free."""
        places = self._places.get(key)
        if places is None:
            return None
        place = places.pop(0)
        if not places:
            del self._places[key]
        return place

    def drop(self, chunk: Chunk, custom_ids: Iterable[str]) -> None:
        """Nobody shall ask for these any more."""
        for custom_id in custom_ids:
            key = custom_id.partition("-")[0]
            left = [place for place in self._places.pop(key, ()) if place != Place(chunk, custom_id)]
            if left:
                self._places[key] = left
