"""Which fault a request meets, if any. Pure: a function of the seed, the request body and how often it was asked."""

import math
from bisect import bisect_right
from collections.abc import Mapping
from enum import Enum
from itertools import accumulate
from typing import NamedTuple

from personastream.errors import ConfigError
from personastream.simulator.draws import FOR_POISON, draw

POISON = "poison"
HANG = "hang"


class Group(Enum):
    """Whose fault it is, by what a client must do next."""

    ROW = "row"  # try this request again
    ENDPOINT = "endpoint"  # leave the endpoint alone for a while, the request waits
    DEAD = "dead"  # this request can never be answered well
    STOP = "stop"  # asking again cannot help
    ODD = "odd"  # an answer of use, with something strange about it


class Work(Enum):
    """What the service has done when a client meets the fault: it charges for a completion, read or not."""

    NONE = "none"
    LOST = "lost"  # generated, but the client cannot read it
    WHOLE = "whole"  # generated, and the client has it, such as it is


class Fault(NamedTuple):
    """What a client sees, as a clause for help texts. One that does not come at once comes after the latency."""

    group: Group
    effect: str
    at_once: bool = False
    work: Work = Work.NONE


def _at_once(group: Group, effects: Mapping[str, str]) -> dict[str, Fault]:
    return {name: Fault(group, effect, at_once=True) for name, effect in effects.items()}


def _later(group: Group, work: Work, effects: Mapping[str, str]) -> dict[str, Fault]:
    return {name: Fault(group, effect, work=work) for name, effect in effects.items()}


FAULTS: Mapping[str, Fault] = {
    **_later(
        Group.ROW,
        Work.NONE,
        {
            "500": "status 500 after the latency",
            "502": "status 502, an HTML page of a gateway",
            "520": "status 520, an HTML page of a proxy",
            "521": "status 521, the same",
            "522": "status 522, the same",
            "523": "status 523, the same",
            "525": "status 525, the same",
            "526": "status 526, the same",
            "hang": "no answer ever, until the client gives up",
            "html": "status 200 with an HTML page",
            "no-choices": "status 200 with choices null",
            "200-error": "status 200, a server error inside",
        },
    ),
    **_at_once(
        Group.ROW,
        {
            "408": "status 408 at once",
            "409": "status 409 at once",
            "425": "status 425 at once",
        },
    ),
    **_later(
        Group.ROW,
        Work.LOST,
        {
            "504": "status 504, though the work was done",
            "524": "status 524, an HTML page, though the work was done",
            "drop": "the connection is closed without a reply",
            "reset": "the connection is reset without a reply",
            "cut": "half of the body is sent, then the connection is closed",
            "cut-chunked": "the same with a chunked body",
            "cut-close": "the same with a body that nothing but the close delimits",
            "trickle": "the body comes at a byte a second",
            "malformed": "status 200 with JSON that ends half-way",
            "not-utf8": "status 200 with JSON that is not UTF-8",
            "not-json-type": "status 200 with JSON that is called text/html",
            "oversized": "status 200 with a body of 12 MiB",
            "gzip-bomb": "status 200 with gzip that grows to 64 MiB",
            "huge-headers": "status 200 with 256 KiB of headers",
        },
    ),
    **_later(
        Group.ROW,
        Work.WHOLE,
        {
            "stale": "a good reply; the connection is closed when it is used again",
            "null": "status 200, null text, finish_reason stop",
            "no-content": "status 200, a message without content",
            "empty": "status 200 with blank text, finish_reason stop",
            "empty-choices": "status 200 with an empty list of choices",
            "finish-error": "status 200 with finish_reason error and no text",
            "reasoning": "status 200 with reasoning but no text, finish_reason length",
            "whitespace": "status 200 with blanks to the token limit, finish_reason length",
            "off-contract": "status 200 with a text that no template asks for",
            "near-contract": "status 200 with a text that nearly does: talk before it, or a key of JSON missing",
        },
    ),
    **_at_once(
        Group.ENDPOINT,
        {
            "429": "status 429 with retry-after",
            "429-ms": "status 429 with retry-after-ms",
            "429-date": "status 429 with retry-after as an HTTP date",
            "429-reset": "status 429 with x-ratelimit-reset-* as Go durations",
            "429-seconds": "status 429 with x-ratelimit-reset in seconds",
            "429-epoch": "status 429 with x-ratelimit-reset in seconds since 1970",
            "429-anthropic": "status 429 with anthropic-ratelimit-*-reset",
            "429-bare": "status 429 that says nothing",
            "429-hostile": "status 429 with headers that make no sense",
            "503": "status 503 at once: overloaded",
            "503-pause": "status 503 with retry-after",
            "503-loading": "status 503 at once: the model is loading",
            "503-queue": "status 503 at once: the queue is full",
            "529": "status 529 at once: overloaded",
            "200-429": "status 200 with an error of code 429 inside",
            "200-overloaded": "status 200 with overloaded_error inside",
            "500-overloaded": "status 500 with overloaded_error inside",
        },
    ),
    **_at_once(
        Group.DEAD,
        {
            "badrequest": "status 400 at once; the next try may pass",
            "poison": "status 400 at once, for this very body on every try",
            "too-long": "status 400: context_length_exceeded",
            "too-long-500": "status 500 with exceed_context_size_error inside",
            "400-filter": "status 400: content_filter",
            "413": "status 413",
            "422": "status 422",
        },
    ),
    **_later(
        Group.DEAD,
        Work.WHOLE,
        {
            "length": "status 200 with half of the text, finish_reason length",
            "refuse": "status 200, null text, finish_reason content_filter",
            "refusal": "status 200, null text, a text in the field refusal",
            "truncated": "status 200, but the prompt was cut to 10 tokens",
        },
    ),
    **_later(
        Group.ODD,
        Work.WHOLE,
        {
            "wrong-model": "a good reply of another model",
            "two-choices": "a good reply, and one more",
            "no-usage": "a good reply without usage",
            "negative-usage": "a good reply with token counts below zero",
            "huge-usage": "a good reply with token counts of 2^63",
            "hostile-headers": "a good reply with header values that make no sense",
        },
    ),
    **_at_once(
        Group.STOP,
        {
            "401": "status 401",
            "402": "status 402: no credit",
            "403": "status 403",
            "403-block": "status 403, the HTML page of a firewall",
            "404": "status 404: no such model",
            "429-quota": "status 429: insufficient_quota",
            "429-spend": "status 429: the spend limit is reached",
            "429-week": "status 429 with retry-after a week",
            "429-daily": "status 429 with a reset in 6 hours",
            "redirect": "status 307 to another host",
        },
    ),
}
GROUPS: Mapping[str, tuple[str, ...]] = {
    f"any-{group.value}-fault": tuple(name for name, fault in FAULTS.items() if fault.group is group and name != POISON)
    for group in Group
}
"""Names that stand for all faults of a group, which share the rate evenly; one with a rate of its own keeps that."""


def expanded(rates: Mapping[str, float]) -> dict[str, float]:
    """Rates by fault. Raises `ConfigError` for an unknown one, a rate outside 0 to 1, or more than 1 in all."""
    for name, rate in rates.items():
        if name not in FAULTS and name not in GROUPS:
            known = ", ".join((*FAULTS, *GROUPS))
            raise ConfigError(f"there is no fault {name!r}", hint=f"The faults are: {known}.")
        if not 0 <= rate <= 1:
            raise ConfigError(f"the rate of fault {name!r} is {rate}", hint="A rate lies between 0 and 1.")
    found = {name: rate for name, rate in rates.items() if name in FAULTS}
    for group in GROUPS.keys() & rates.keys():
        members = [name for name in GROUPS[group] if name not in rates]
        found.update((name, rates[group] / len(members)) for name in members)
    total = math.fsum(rate for name, rate in found.items() if name != POISON)
    if total > 1 + 1e-9:
        raise ConfigError(f"the rates of all faults add up to {total:g}", hint="Together they may reach 1.")
    return found


class FaultPlan:
    """Chooses by rate. Poison is decided by the body alone, the others anew for every attempt."""

    def __init__(self, rates: Mapping[str, float], seed: int) -> None:
        rates = expanded(rates)
        self._seed = seed
        self._poisoned_below = int(rates.get(POISON, 0.0) * 2**64)
        self._names = [name for name in FAULTS if name != POISON and rates.get(name, 0.0) > 0]
        shares = accumulate(rates[name] for name in self._names)
        self._thresholds = [int(min(share, 1.0) * 2**64) for share in shares]

    def is_poisoned(self, key: int) -> bool:
        """Whether every request with this body is refused."""
        return self._poisoned_below > 0 and draw(key, FOR_POISON, self._seed) < self._poisoned_below

    def choose(self, key: int, attempt_draw: int) -> str | None:
        """The fault for a body with the 64-bit hash `key`, given a uniform 64-bit number for this attempt."""
        if self.is_poisoned(key):
            return POISON
        return self.pick(attempt_draw)

    def pick(self, attempt_draw: int) -> str | None:
        """The same without poison, which is for requests that a model answers."""
        if not self._names:
            return None
        place = bisect_right(self._thresholds, attempt_draw)
        return self._names[place] if place < len(self._names) else None
