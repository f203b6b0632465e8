"""Ask: one request, limited, tried again as the retry policy says, counted. The only retry layer there is."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

from personastream.core.retry import UNTRIED, Endpoint, Trial, after_failure
from personastream.engine.statistics import Statistics
from personastream.engine.stop import Stop
from personastream.errors import AttemptError
from personastream.ports import Limit, Provider
from personastream.records import Completion, Request

PROBE = Request("", "Say yes.", {"max_tokens": 1})
"""A request that any healthy endpoint answers, and hardly costs anything."""


class Abandoned(BaseException):
    """The run drains while this request waits: the row is left for the next sitting. No recipe's business."""


@dataclass(slots=True)
class Asker:
    """The callable that recipes know as `ask`. `clock` tells seconds on any monotonic scale."""

    provider: Provider
    limit: Limit | None
    endpoint: Endpoint
    statistics: Statistics
    stop: Stop
    clock: Callable[[], float] = anyio.current_time
    chance: random.Random = field(default_factory=random.Random)

    async def __call__(self, request: Request) -> Completion:
        """Raises `RowError` for the row's own fault, `RunError` to stop the run, `Abandoned` on a drain."""
        trial = UNTRIED
        while True:
            reserved = await self._turn(request)
            try:
                completion = await self._attempt(request)
            except AttemptError as error:
                if self.limit is not None:
                    self.limit.settle(reserved, 0)
                trial = await self._after(error, trial)
            else:
                if self.limit is not None:
                    self.limit.settle(reserved, completion.input_tokens + completion.output_tokens)
                return completion

    async def _turn(self, request: Request) -> float:
        """Wait until the endpoint may be asked and the limits let this request pass; returns the tokens reserved."""
        limit = self.limit
        while True:
            if self.endpoint.blocked_until_s:
                await self._wait_until_open()
            if limit is None:
                return 0.0
            if (taken := limit.take(request)) is not None:
                return taken
            with self.stop.not_past_drain() as waiting:
                reserved = await limit.acquire(request)
            if waiting.cancelled_caught:
                raise Abandoned
            if not self.endpoint.blocked_s(self.clock()):
                return reserved
            limit.settle(reserved, 0)  # the endpoint asked for a pause meanwhile

    async def _attempt(self, request: Request) -> Completion:
        statistics = self.statistics
        statistics.requests += 1
        statistics.in_flight += 1
        started_s = self.clock()
        try:
            completion = await self.provider.complete(request)
        finally:
            statistics.in_flight -= 1
        now_s = self.clock()
        statistics.answered += 1
        statistics.latency_s_sum += now_s - started_s
        statistics.input_tokens += completion.input_tokens
        statistics.output_tokens += completion.output_tokens
        self.endpoint.succeeded(now_s)
        return completion

    async def _after(self, error: AttemptError, trial: Trial) -> Trial:
        statistics = self.statistics
        statistics.faults[type(error).__name__] += 1
        statistics.last_fault = error.message
        wait = after_failure(error, trial, self.endpoint, self.clock(), self.chance.random())
        statistics.retries += 1
        await self._sleep(wait.seconds)
        nearly_dead = wait.trial.faults + 1 >= self.endpoint.policy.attempts_max
        if nearly_dead and statistics.in_flight == 0 and self.endpoint.failing_since_s is not None:
            await self._probe()
        return wait.trial

    async def _probe(self) -> None:
        """Nobody else is being asked, so nobody can vouch for the endpoint: is it down, or is it this row?"""
        try:
            await self._attempt(PROBE)
        except AttemptError:
            self.statistics.faults["Probe"] += 1

    async def _wait_until_open(self) -> None:
        while (blocked_s := self.endpoint.blocked_s(self.clock())) > 0:
            await self._sleep(blocked_s + self.endpoint.policy.backoff_s * self.chance.random())

    async def _sleep(self, seconds: float) -> None:
        self.statistics.waiting += 1
        try:
            if seconds and not await self.stop.sleep(seconds):
                raise Abandoned
        finally:
            self.statistics.waiting -= 1
