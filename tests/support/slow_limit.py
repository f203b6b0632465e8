"""A limit of the simplest kind, that remembers what it was told."""

import math

from personastream.core.ceilings import Ceilings
from personastream.ports import Tokens
from personastream.records import Request


class Every:
    """One request every so many seconds, the first one after as many."""

    bounds = True

    def __init__(self, interval_s: float) -> None:
        self.taken = 0
        self.used: list[tuple[float, float]] = []
        self._interval_s = interval_s
        self._next_s = math.nan
        self._now_s = 0.0

    def change(self, ceilings: Ceilings, now_s: float) -> None:
        """Whatever they are."""

    def wait_s(self, request: Request, now_s: float) -> float:
        if math.isnan(self._next_s):
            self._next_s = now_s + self._interval_s
        self._now_s = now_s
        return max(0.0, self._next_s - now_s)

    def take(self, request: Request) -> Tokens:
        assert self._now_s >= self._next_s, "nobody has asked whether there is room"
        self._next_s = self._now_s + self._interval_s
        self.taken += 1
        return Tokens(3.0, 4.0)

    def settle(self, reserved: Tokens, used: Tokens) -> None:
        assert reserved == (3.0, 4.0)
        self.used.append(used)
