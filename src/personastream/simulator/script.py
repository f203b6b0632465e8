"""A script of changes: what behaves otherwise from when to when. Pure.

A script is a JSON list of steps. A step starts `at_s` seconds after the first request, or `after` so many requests,
lasts until `until_s` or `until` so many requests if one is given, and changes what else it names:

    [{"at_s": 10, "until_s": 40, "requests_per_minute": 150},
     {"after": 1000, "until": 1200, "faults": {"500": 1.0}},
     {"at_s": 60, "dead_s": 30}]

Where steps overlap, the later one in the list counts.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from personastream.errors import ConfigError
from personastream.simulator.behaviour import Behaviour
from personastream.simulator.death import Death, take_death

_WORDS = {"at_s", "after", "until_s", "until"}
_HINT = 'A script is a list such as [{"at_s": 10, "until_s": 40, "faults": {"500": 1.0}}, {"at_s": 60, "dead_s": 30}].'


@dataclass(frozen=True, slots=True)
class Step:
    """From when (seconds, requests) to when, what changes; and a death, which happens once."""

    at_s: float
    after: int
    until_s: float
    until: int
    changes: Mapping[str, Any]
    death: Death | None

    def is_on(self, elapsed_s: float, arrivals: int) -> bool:
        """Whether it is on after so many seconds and requests."""
        return self.at_s <= elapsed_s < self.until_s and self.after <= arrivals < self.until


NEVER = 2**63


def read_script(path: Path, base: Behaviour) -> tuple[Step, ...]:
    """The steps in a file. Raises `ConfigError`."""
    try:
        steps = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise ConfigError(f"the script {path} cannot be read: {error}", hint=_HINT) from None
    return parse_script(steps, base)


def parse_script(steps: Any, base: Behaviour) -> tuple[Step, ...]:
    """The steps in what JSON holds; `base` is what they change. Raises `ConfigError` that says which is wrong."""
    if not isinstance(steps, Sequence) or isinstance(steps, str):
        raise ConfigError("a script is no list", hint=_HINT)
    found = []
    for number, step in enumerate(steps, 1):
        try:
            found.append(_step(step, base))
        except ConfigError as error:
            raise ConfigError(f"step {number} of the script: {error.message}", hint=error.hint) from None
    return tuple(found)


def behaviour_at(base: Behaviour, steps: Sequence[Step], elapsed_s: float, arrivals: int) -> Behaviour:
    """What counts after so many seconds and requests."""
    changes: dict[str, Any] = {}
    for step in steps:
        if step.is_on(elapsed_s, arrivals):
            changes |= step.changes
    return base.changed(changes) if changes else base


def next_change(steps: Sequence[Step], elapsed_s: float, arrivals: int) -> tuple[float, int]:
    """The next second and the next count of requests at which something may change; infinity and `NEVER` if none."""
    seconds = (at_s for step in steps for at_s in (step.at_s, step.until_s) if at_s > elapsed_s)
    counts = (after for step in steps for after in (step.after, step.until) if after > arrivals)
    return min(seconds, default=math.inf), min(counts, default=NEVER)


def _step(step: Any, base: Behaviour) -> Step:
    if not isinstance(step, Mapping):
        raise ConfigError("it is no object", hint=_HINT)
    if ("at_s" in step) == ("after" in step) or {"until_s", "until"} <= step.keys():
        raise ConfigError("it needs either at_s or after, and at most one of until_s and until", hint=_HINT)
    for name in _WORDS & step.keys():
        value = step[name]
        whole = name in ("after", "until")
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not 0 <= value < NEVER:
            raise ConfigError(f"{name} is {value!r}", hint="Seconds and requests are numbers from 0 up.")
    changes, death = take_death({name: value for name, value in step.items() if name not in _WORDS})
    if changes:
        base.changed(changes)
    elif death is None:
        raise ConfigError("it changes nothing", hint=_HINT)
    return Step(
        at_s=step.get("at_s", 0.0),
        after=step.get("after", 0),
        until_s=step.get("until_s", math.inf),
        until=step.get("until", NEVER),
        changes=changes,
        death=death,
    )
