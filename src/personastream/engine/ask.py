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


class Abandoned(Exception):
    """The run drains while this request waits for its next attempt: the row is left for the next sitting."""


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
        return wait.trial

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
