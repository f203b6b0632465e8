"""An endpoint that is dead for a while: for how long, and how it looks from outside. Pure."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from personastream.errors import ConfigError

REFUSE, DROP, HANG = "refuse", "drop", "hang"
WAYS = (REFUSE, DROP, HANG)
"""No connection is taken; each is closed at once; or requests get no answer."""

DEAD_S_MAX = 86_400.0


class Death(NamedTuple):
    """For how many seconds (0: alive again), and in which of the `WAYS`."""

    dead_s: float
    way: str = REFUSE


def take_death(changes: Mapping[str, Any]) -> tuple[dict[str, Any], Death | None]:
    """Take `dead_s` and `dead_how` out of changes: (the others, the death if there is one). Raises `ConfigError`."""
    others = {name: value for name, value in changes.items() if name not in ("dead_s", "dead_how")}
    if len(others) == len(changes):
        return others, None
    dead_s, way = changes.get("dead_s"), changes.get("dead_how", REFUSE)
    if isinstance(dead_s, bool) or not isinstance(dead_s, int | float) or not 0 <= dead_s <= DEAD_S_MAX:
        raise ConfigError(f"dead_s is {dead_s!r}", hint=f"It is a number of seconds up to {DEAD_S_MAX:g}.")
    if way not in WAYS or math.isnan(dead_s):
        raise ConfigError(f"dead_how is {way!r}", hint=f"It is one of: {', '.join(WAYS)}.")
    return others, Death(float(dead_s), way)
