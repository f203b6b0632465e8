"""How the behaviour changes over a run: by a script, by orders from outside, and by dying for a while."""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any

from personastream.simulator.behaviour import Behaviour
from personastream.simulator.death import Death, take_death
from personastream.simulator.script import NEVER, Step, behaviour_at, next_change, parse_script


class Course:
    """Keeps the behaviour that counts now, and tells of each change. A script's time starts with the first request."""

    def __init__(
        self,
        behaviour: Behaviour,
        script: Sequence[Step],
        *,
        adopt: Callable[[Behaviour], None],
        die: Callable[[Death], None],
    ) -> None:
        self.behaviour = behaviour
        self.next_arrivals = 0 if script else NEVER
        self._base = behaviour
        self._script = script
        self._adopt, self._die = adopt, die
        self._loop = asyncio.get_running_loop()
        self._started_s = math.inf
        self._arrivals = self._arrivals_before = 0
        self._dead: set[int] = set()
        self._timer: asyncio.TimerHandle | None = None

    def change(self, changes: Mapping[str, Any]) -> None:
        """Behave otherwise from now on, where no step of the script says more. Raises `ConfigError`."""
        others, death = take_death(changes)
        self._base = self._base.changed(others)
        self._reconsider()
        if death is not None:
            self._die(death)

    def follow(self, steps: Any) -> None:
        """Follow another script, whose time and requests count from the next request on. Raises `ConfigError`."""
        self._script = parse_script(steps, self._base)
        self._dead.clear()
        self._started_s, self._arrivals_before, self.next_arrivals = math.inf, self._arrivals, 0
        self._reconsider()
        self.next_arrivals = 0 if self._script else NEVER

    def reach(self, arrivals: int) -> None:
        """So many requests have come, and another does; call it if they are at least `next_arrivals`."""
        if math.isinf(self._started_s):
            self._started_s, self._arrivals_before = monotonic(), arrivals
        self._arrivals = arrivals
        self._reconsider()

    def _reconsider(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        behaviour = self._base
        if not math.isinf(self._started_s):
            now_s, arrivals = monotonic() - self._started_s, self._arrivals - self._arrivals_before
            behaviour = behaviour_at(self._base, self._script, now_s, arrivals)
            next_s, next_arrivals = next_change(self._script, now_s, arrivals)
            self.next_arrivals = next_arrivals + (self._arrivals_before if next_arrivals < NEVER else 0)
            if not math.isinf(next_s):
                self._timer = self._loop.call_later(next_s - now_s + 0.001, self._reconsider)
            self._let_die(now_s, arrivals)
        if behaviour != self.behaviour:
            self.behaviour = behaviour
            self._adopt(behaviour)

    def _let_die(self, now_s: float, arrivals: int) -> None:
        for place, step in enumerate(self._script):
            if step.death is not None and place not in self._dead and step.is_on(now_s, arrivals):
                self._dead.add(place)
                self._die(step.death)
