"""What an endpoint may be sent at most: requests at once, and requests and tokens a minute."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from personastream.errors import ConfigError

IN_FLIGHT_MAX = 10_000
PER_MINUTE_MAX = 1e12


@dataclass(frozen=True, slots=True)
class Ceilings:
    """Ceilings a minute are 0 where there is none; `in_flight_max` is 1 or more."""

    in_flight_max: int = IN_FLIGHT_MAX
    requests_per_minute: float = 0.0
    tokens_per_minute: float = 0.0
    input_tokens_per_minute: float = 0.0
    output_tokens_per_minute: float = 0.0

    @property
    def any_per_minute(self) -> bool:
        """Whether there is a ceiling besides that on requests at once."""
        return any(getattr(self, name) for name in PER_MINUTE)

    def but(self, changes: Mapping[str, float]) -> "Ceilings":
        """These, with some of them set otherwise."""
        given: dict[str, Any] = {**changes}
        return replace(self, **given)


NAMES = tuple(each.name for each in fields(Ceilings))
PER_MINUTE = NAMES[1:]


def strictest(several: Iterable[Ceilings]) -> Ceilings:
    """The lowest of each that is named at all."""
    given = list(several)
    least = {name: min(filter(None, (getattr(each, name) for each in given)), default=0) for name in PER_MINUTE}
    return Ceilings(min((each.in_flight_max for each in given), default=IN_FLIGHT_MAX), **least)


def together(several: Iterable[Ceilings]) -> Ceilings:
    """What one job may send if it names the same endpoint several times; without a ceiling if one of them has none."""
    given = list(several)
    sums = {}
    for name in PER_MINUTE:
        values = [getattr(each, name) for each in given]
        sums[name] = sum(values) if all(values) else 0.0
    return Ceilings(min(IN_FLIGHT_MAX, sum(each.in_flight_max for each in given)), **sums)


def checked(changes: Mapping[str, object]) -> dict[str, float]:
    """Changes as somebody from outside asks for them. Raises `ConfigError` that names what is wrong."""
    found: dict[str, float] = {}
    for name, value in changes.items():
        if name not in NAMES:
            raise ConfigError(f"{name!r} is no ceiling of an endpoint", hint=f"Valid here: {', '.join(NAMES)}.")
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ConfigError(f"{name} must be a number")
        if name == "in_flight_max":
            if value != int(value) or not 1 <= value <= IN_FLIGHT_MAX:
                raise ConfigError(f"in_flight_max must be a whole number from 1 to {IN_FLIGHT_MAX:,}")
            found[name] = int(value)
        elif 0 <= value <= PER_MINUTE_MAX:
            found[name] = float(value)
        else:
            raise ConfigError(f"{name} must be between 0 (no limit) and {PER_MINUTE_MAX:.0e}")
    return found
