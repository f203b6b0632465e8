"""Budget: a ceiling on spending that holds whatever happens, a crash included. Purse: one for all runs together.

Before a request is sent, the most that it can cost is set aside; the answer replaces that by what it did cost. What may
be spent at all is written down first, some requests' worth ahead (`authorise`, durable on return): after a crash all
of that counts as spent, so that no sum of sittings can pass the ceiling. The purse lets each run write down no more
than leaves the sum of what all have written down below its own ceiling. Amounts are billionths of a currency unit.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import anyio

from personastream.core.spend import shown
from personastream.engine.bell import Bell
from personastream.errors import ConfigError, SpendLimitReached, StorageFailed
from personastream.ports import Offload

AHEAD_REQUESTS = 2
"""Requests for each worker that are authorised at once: few enough to lose little, many enough to write seldom."""


class Purse:
    """What all runs may spend together: `ceiling`, 0 for no end. A run that is not sitting is known by its name.

    One event loop has one purse. Whoever has written down more than it needs gives it back when others want for it.
    """

    def __init__(self, ceiling: int = 0) -> None:
        self.writing = anyio.Lock()
        self.more = Bell()
        self._ceiling = ceiling
        self._resting: dict[str, int] = {}
        self._sitting: dict[str, Budget] = {}

    @property
    def ceiling(self) -> int:
        """May be changed at any time. Below what is spent already, nothing more is."""
        return self._ceiling

    @ceiling.setter
    def ceiling(self, ceiling: int) -> None:
        """Raises `ConfigError` if a run that is sitting cannot tell what it costs."""
        unpriced = sorted(run for run, budget in self._sitting.items() if not budget.priced)
        if ceiling and unpriced:
            raise ConfigError(
                f"a ceiling on spending needs the prices of every provider, and {unpriced[0]} names none",
                hint="Set [provider] input_price and output_price, per million tokens, or end that run first.",
            )
        self._ceiling = ceiling
        for budget in self._sitting.values():
            budget.look_again()
        self.more.ring()

    def know(self, run: str, nanos: int) -> None:
        """A run that is not sitting has been authorised to spend so much, or has spent more."""
        self._resting[run] = nanos

    def forget(self, run: str) -> None:
        """What a run has spent counts no more: it is gone."""
        self._resting.pop(run, None)
        self.more.ring()

    @property
    def authorised(self) -> int:
        """What all runs together may have spent, if every one of them crashed now."""
        return self._at_rest + sum(each.authorised for each in self._sitting.values())

    @property
    def spent(self) -> int:
        """What all runs have spent, or have set aside for requests under way."""
        return self._at_rest + sum(each.spent for each in self._sitting.values())

    @property
    def _at_rest(self) -> int:
        return sum(nanos for run, nanos in self._resting.items() if run not in self._sitting)

    @contextmanager
    def holding(self, run: str, budget: "Budget") -> Iterator[None]:
        """While this is entered, the run is sitting. What it has authorised in the end stays known."""
        if run in self._sitting:
            raise ValueError(f"{run} is sitting already")
        self._sitting[run] = budget
        try:
            yield
        finally:
            del self._sitting[run]
            self._resting[run] = budget.authorised
            self.more.ring()

    def room(self, budget: "Budget") -> float:
        """How much a budget may have authorised in all; infinite without a ceiling."""
        return self._ceiling - (self.authorised - budget.authorised) if self._ceiling else math.inf

    async def gather_in(self, but: "Budget") -> None:
        """Have all others give back what they do not need. Call with `writing` held."""
        for budget in list(self._sitting.values()):
            if budget is not but:
                with suppress(StorageFailed):  # then there is nothing to get there
                    await budget.give_back()

    def check_hope(self, most: int) -> None:
        """Raises `SpendLimitReached` if nothing is under way that might cost less than was set aside for it."""
        if not any(budget.set_aside for budget in self._sitting.values()):
            raise SpendLimitReached(
                f"the ceiling on what all runs spend together, {shown(self._ceiling)}, is reached: {shown(self.spent)} "
                f"is spent or may have been, and the next request may cost {shown(most)}",
                hint="Raise the service's `spend_max`; nothing is lost.",
                common=True,
            )


class Budget:
    """One run's. `ceiling` is what all its sittings may spend together, 0 for no end, `authorised` what they may have.

    `run` is the name by which the `purse` knows the run; `priced` says whether its providers have prices.
    """

    def __init__(
        self,
        ceiling: int,
        authorised: int,
        authorise: Callable[[int], None],
        offload: Offload,
        workers: int,
        purse: Purse | None = None,
        run: str = "",
        *,
        priced: bool = True,
    ) -> None:
        self.priced = priced
        self.spent = self.set_aside = 0
        self._purse = purse or Purse()
        self._run = run
        self._ceiling = ceiling or math.inf
        self._written = authorised  # the most that the disk may hold: a write that fails may have reached it
        self._allowed: float = 0  # what may be spent or set aside without a look at anything
        self._authorise = authorise
        self._offload = offload
        self._workers = workers
        self._settled = Bell()

    @contextmanager
    def sitting(self, committed: int) -> Iterator[None]:
        """Of what was authorised, only the committed part is known: the rest may have been spent before a crash."""
        self.spent = max(self._written, committed)
        with self._purse.holding(self._run, self):
            self.look_again()
            yield

    @property
    def authorised(self) -> int:
        """What counts as spent if the process dies now."""
        return max(self._written, self.spent)

    @property
    def bounded(self) -> bool:
        """Whether there is any ceiling. If not, nothing need be set aside, and nothing is written down."""
        return self._ceiling != math.inf or self._purse.ceiling != 0

    def look_again(self) -> None:
        """A ceiling has changed: nothing that was allowed before is any more, unless there is none."""
        self._allowed = math.inf if not self.bounded else -1

    async def reserve(self, most: int) -> None:
        """Set `most` aside. Waits while others' reserves stand in the way; raises `SpendLimitReached` if none do."""
        while self.spent + most > self._allowed:
            await self._make_room(most)
        self.spent += most
        self.set_aside += most

    def settle(self, reserved: int, actual: int) -> None:
        """The request that reserved so much is over and has cost, or may have cost, `actual`."""
        self.set_aside -= reserved
        self.spent += actual - reserved
        self._settled.ring()
        self._purse.more.ring()

    async def close(self) -> None:
        """All is settled and committed: from now on only what was spent counts."""
        if self.bounded:
            async with self._purse.writing:
                await self.give_back()

    async def give_back(self) -> None:
        """Authorise no more than is spent or set aside. Call with the purse's `writing` held."""
        total = self.spent
        if total < self._written:
            self._allowed = min(self._allowed, total)
            await self._write(total)

    async def _make_room(self, most: int) -> None:
        """One step towards it: what comes of it is for the caller to see."""
        if self.spent + most > self._ceiling:
            self._check_hope(most)
            await self._settled.next().wait()
            return
        purse = self._purse
        async with purse.writing:
            if self.spent + most <= self._allowed:
                return
            if purse.room(self) < self.spent + most:
                await purse.gather_in(self)
            room = purse.room(self)
            if room >= self.spent + most:
                await self._authorise_more(most, room)
                return
            purse.check_hope(most)
            more = purse.more.next()
        await more.wait()

    async def _authorise_more(self, most: int, room: float) -> None:
        ahead = AHEAD_REQUESTS * self._workers * most
        total = int(min(self._ceiling, room, self.spent + most + ahead))
        await self._write(total)
        self._allowed = total if total <= self._purse.room(self) else -1  # the ceiling may have changed meanwhile

    async def _write(self, total: int) -> None:
        self._written = max(self._written, total)
        await self._offload(lambda: self._authorise(total))
        self._written = total

    def _check_hope(self, most: int) -> None:
        if self.set_aside == 0:
            raise SpendLimitReached(
                f"spend_max = {shown(int(self._ceiling))} is reached: {shown(self.spent)} is spent or may have been, "
                f"and the next request may cost {shown(most)}",
                hint="Raise `[limits] spend_max`, then run again with --resume.",
            )
