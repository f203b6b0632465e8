"""Budget: a ceiling on spending that holds whatever happens, a crash included.

Before a request is sent, the most that it can cost is set aside; the answer replaces that by what it did cost. What may
be spent at all is written down first, some requests' worth ahead (`authorise`, durable on return): after a crash all
of that counts as spent, so that no sum of sittings can pass the ceiling. Amounts are billionths of a currency unit.
"""

from collections.abc import Callable

import anyio

from personastream.core.spend import shown
from personastream.errors import SpendLimitReached
from personastream.ports import Offload

AHEAD_REQUESTS = 2
"""Requests for each worker that are authorised at once: few enough to lose little, many enough to write seldom."""


class Budget:
    """`authorised` is what earlier sittings have been allowed to spend, `ceiling` what all may spend together."""

    def __init__(
        self, ceiling: int, authorised: int, authorise: Callable[[int], None], offload: Offload, workers: int
    ) -> None:
        self._ceiling = ceiling
        self._authorised = authorised
        self._authorise = authorise
        self._offload = offload
        self._workers = workers
        self._spent = self._set_aside = 0
        self._writing = anyio.Lock()
        self._settled = anyio.Event()

    def begin(self, committed: int) -> None:
        """Of what was authorised, only the committed part is known: the rest may have been spent before a crash."""
        self._spent = self._authorised = max(self._authorised, committed)

    async def reserve(self, most: int) -> None:
        """Set `most` aside. Waits while others' reserves stand in the way; raises `SpendLimitReached` if none do."""
        while self._spent + most > self._ceiling:
            if self._set_aside == 0:
                raise SpendLimitReached(
                    f"spend_max = {shown(self._ceiling)} is reached: {shown(self._spent)} is spent or may have been, "
                    f"and the next request may cost {shown(most)}",
                    hint="Raise `[limits] spend_max`, then run again with --resume.",
                )
            await self._settled.wait()
        self._spent += most
        self._set_aside += most
        if self._spent > self._authorised:
            try:
                await self._authorise_more(most)
            except BaseException:
                self.settle(most, 0)
                raise

    def settle(self, reserved: int, actual: int) -> None:
        """The request that reserved so much is over and has cost, or may have cost, `actual`."""
        self._set_aside -= reserved
        self._spent += actual - reserved
        self._settled.set()
        self._settled = anyio.Event()

    def close(self) -> None:
        """All is settled and committed: from now on only what was spent counts. Blocks."""
        self._authorise(self._spent)

    async def _authorise_more(self, most: int) -> None:
        async with self._writing:
            if self._spent > self._authorised:
                ahead = AHEAD_REQUESTS * self._workers * most
                total = min(self._ceiling, self._spent + ahead)
                await self._offload(lambda: self._authorise(total))
                self._authorised = total
