"""Hedge: for a request that takes long, the same one to another endpoint; the first answer counts. Off by default.

After Dean and Barroso, "The Tail at Scale" (CACM 56, 2013). The other request is cancelled, yet may be billed: so only
a share of all requests is doubled, and only where an endpoint has room that nobody waits for.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup

from personastream.core.retry import Trial, Verdict
from personastream.engine.line import Turn
from personastream.engine.pool import Abandoned, Pool
from personastream.engine.statistics import Statistics
from personastream.errors import RowError, RunError
from personastream.records import Completion, Request

Outcome = Completion | Verdict
End = Outcome | RowError | RunError | Abandoned
Attempt = Callable[[Turn, Request, Trial], Awaitable[Outcome]]


@dataclass(slots=True)
class Hedge:
    """Doubles requests that have had no answer for `after_s` seconds, at most a share of `share_max` of all."""

    after_s: float
    share_max: float
    statistics: Statistics

    async def race(self, attempt: Attempt, pool: Pool, turn: Turn, request: Request, trial: Trial) -> Outcome:
        """The first completion of one attempt or two; without one, what came of the first. Raises like `attempt`."""
        race = _Race(attempt, request, trial)
        async with anyio.create_task_group() as runners:
            race.enter(runners, turn)
            with anyio.move_on_after(self.after_s):
                await race.decided.wait()
            if not race.decided.is_set() and (other := self._other_turn(pool, turn, request)) is not None:
                self.statistics.hedges += 1
                race.enter(runners, other)
            await race.decided.wait()
            runners.cancel_scope.cancel()
        return race.outcome()

    def _other_turn(self, pool: Pool, turn: Turn, request: Request) -> Turn | None:
        if turn.endpoint.resumable or self.statistics.hedges >= self.share_max * self.statistics.requests:
            return None
        return pool.spare(request, turn.endpoint)


class _Race:
    """Attempts at the same request. It is decided by the first completion, or by what stops the run, or at the end."""

    def __init__(self, attempt: Attempt, request: Request, trial: Trial) -> None:
        self._attempt, self._request, self._trial = attempt, request, trial
        self._ends: dict[int, End] = {}
        self._entered = 0
        self.decided = anyio.Event()

    def enter(self, runners: TaskGroup, turn: Turn) -> None:
        """Begin an attempt."""
        runners.start_soon(self._run, self._entered, turn)
        self._entered += 1

    def outcome(self) -> Outcome:
        """What stops the run is raised even if there is a completion: nobody else would hear of it."""
        ends = [self._ends[number] for number in sorted(self._ends)]
        telling = (end for kind in (RunError, Completion, Abandoned) for end in ends if isinstance(end, kind))
        end = next(telling, ends[0])
        if isinstance(end, BaseException):
            raise end
        return end

    async def _run(self, number: int, turn: Turn) -> None:
        try:
            end: End = await self._attempt(turn, self._request, self._trial)
        except (RowError, RunError, Abandoned) as error:
            end = error
        self._ends[number] = end
        if isinstance(end, Completion | RunError) or len(self._ends) == self._entered:
            self.decided.set()
