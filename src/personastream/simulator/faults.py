"""Which fault a request meets, if any. Pure: a function of the seed, the request body and how often it was asked."""

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

from personastream.errors import ConfigError
from personastream.simulator.draws import FOR_POISON, draw

POISON = "poison"


@dataclass(frozen=True, slots=True)
class Fault:
    """What a client sees, as a clause for help texts, and whether it comes at once or after the latency."""

    effect: str
    at_once: bool = False


FAULTS: Mapping[str, Fault] = {
    "500": Fault("status 500 after the latency"),
    "503": Fault("status 503 at once: overloaded", at_once=True),
    "drop": Fault("the connection is closed without a reply"),
    "cut": Fault("half of the body is sent, then the connection is closed"),
    "hang": Fault("no answer ever, until the client gives up"),
    "malformed": Fault("status 200 with JSON that ends half-way"),
    "refuse": Fault("status 200, null text, finish_reason content_filter"),
    "empty": Fault("status 200 with blank text, finish_reason stop"),
    "badrequest": Fault("status 400 at once; the next try may pass", at_once=True),
    POISON: Fault("status 400 at once, for this very body on every try", at_once=True),
}


def check_rates(rates: Mapping[str, float]) -> None:
    """Raise `ConfigError` for an unknown fault, a rate outside 0 to 1, or rates that add up to more than 1."""
    for name, rate in rates.items():
        if name not in FAULTS:
            raise ConfigError(f"there is no fault {name!r}", hint=f"The faults are: {', '.join(FAULTS)}.")
        if not 0 <= rate <= 1:
            raise ConfigError(f"the rate of fault {name!r} is {rate}", hint="A rate lies between 0 and 1.")
    total = math.fsum(rate for name, rate in rates.items() if name != POISON)
    if total > 1:
        raise ConfigError(f"the rates of all faults add up to {total:g}", hint="Together they may reach 1.")


class FaultPlan:
    """Chooses by rate. Poison is decided by the body alone, the others anew for every attempt."""

    def __init__(self, rates: Mapping[str, float], seed: int) -> None:
        check_rates(rates)
        self._seed = seed
        self._poisoned_below = int(rates.get(POISON, 0.0) * 2**64)
        self._names = [name for name in FAULTS if name != POISON and rates.get(name, 0.0) > 0]
        self._thresholds = [int(share * 2**64) for share in accumulate(rates[name] for name in self._names)]

    def choose(self, key: int, attempt_draw: int) -> str | None:
        """The fault for a body with the 64-bit hash `key`, given a uniform 64-bit number for this attempt."""
        if self._poisoned_below and draw(key, FOR_POISON, self._seed) < self._poisoned_below:
            return POISON
        place = bisect_right(self._thresholds, attempt_draw)
        return self._names[place] if place < len(self._names) else None
