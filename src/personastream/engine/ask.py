"""Ask: one request, paced, limited, paid for, tried again as the retry policy says. The only retry layer there is."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

from personastream.core.retry import UNTRIED, RetryPolicy, Trial, Verdict, after_failure
from personastream.core.spend import most_nanos, spend_nanos
from personastream.engine.budget import Budget
from personastream.engine.endpoint import Endpoint
from personastream.engine.hedge import Hedge
from personastream.engine.line import Turn
from personastream.engine.pool import Abandoned, Pool
from personastream.engine.statistics import Statistics
from personastream.engine.stop import Stop
from personastream.errors import (
    AttemptError,
    NotFound,
    RequestsRefused,
    StaleConnection,
    Throttled,
    Unavailable,
    Unreachable,
)
from personastream.ports import NO_TOKENS, Tokens
from personastream.records import Completion, Request

PROBE = Request("", "Say yes.", {"max_tokens": 1})
"""A request that any healthy endpoint answers, and hardly costs anything."""


@dataclass(slots=True)
class Asker:
    """The callable that recipes know as `ask`. `clock` tells seconds on any monotonic scale."""

    pool: Pool
    policy: RetryPolicy
    statistics: Statistics
    stop: Stop
    budget: Budget | None = None
    hedge: Hedge | None = None
    clock: Callable[[], float] = anyio.current_time
    chance: random.Random = field(default_factory=random.Random)
    probe: Request = PROBE

    async def __call__(self, request: Request) -> Completion:
        """Raises `RowError` for the row's own fault, `RunError` to stop the run, `Abandoned` on a drain."""
        trial, again, failed = UNTRIED, False, None
        hedge = self.hedge
        while True:
            turn = await self.pool.turn(request, again, failed)
            if hedge is None:
                outcome = await self.attempt(turn, request, trial)
            else:
                outcome = await hedge.race(self.attempt, self.pool, turn, request, trial)
            if isinstance(outcome, Completion):
                return outcome
            await self._wait(outcome, turn.endpoint, request.provider)
            trial, again, failed = outcome.trial, True, turn.endpoint

    async def attempt(self, turn: Turn, request: Request, trial: Trial) -> Completion | Verdict:
        """Use a turn: what the endpoint answered, or how to go on."""
        endpoint, sent_s, reserved = turn
        try:
            completion = await self._paid(endpoint, request)
            now_s = self.clock()
            if reserved is not None:
                self._settle(endpoint, reserved, Tokens(completion.input_tokens, completion.output_tokens))
                reserved = None
            endpoint.health.succeeded(now_s)
            endpoint.pace.answered(now_s, sent_s, completion.output_tokens, completion.headers)
            return completion
        except AttemptError as error:
            return self._judged(error, trial, endpoint, sent_s, request.provider)
        except BaseException:  # cancelled, or the run ends: neither a good nor a bad sign
            endpoint.pace.ended(self.clock(), sent_s)
            raise
        finally:
            if reserved is not None:
                self._settle(endpoint, reserved, NO_TOKENS)
            self.pool.give_back(endpoint)

    def _settle(self, endpoint: Endpoint, reserved: Tokens, used: Tokens) -> None:
        assert endpoint.limit is not None  # it has reserved
        endpoint.limit.settle(reserved, used)

    async def _paid(self, endpoint: Endpoint, request: Request) -> Completion:
        budget = self.budget
        if budget is None:
            return await self._sent(endpoint, request)
        most = most_nanos(endpoint.prices, request) if budget.bounded else 0
        with self.stop.not_past_drain() as waiting:
            await budget.reserve(most)
        if waiting.cancelled_caught:
            raise Abandoned
        cost = most  # whatever happens, as long as nobody knows better
        try:
            completion = await self._sent(endpoint, request)
            cost = spend_nanos(endpoint.prices, completion)
        except AttemptError as error:
            cost = most if isinstance(error, Unavailable) and error.billed else 0
            raise
        finally:
            budget.settle(most, cost)
        return completion

    async def _sent(self, endpoint: Endpoint, request: Request) -> Completion:
        statistics = self.statistics
        number = statistics.requests = statistics.requests + 1
        endpoint.requests += 1
        statistics.under_way[number] = sent_s = self.clock()
        try:
            if endpoint.resumable:
                completion = await self._until_drain(endpoint, request)
            else:
                completion = await endpoint.provider.complete(request)
        except AttemptError as error:
            if statistics.attempted is not None:
                statistics.attempted(endpoint.provider, request, self.clock() - sent_s, error)
            raise
        finally:
            del statistics.under_way[number]
        now_s = self.clock()
        if statistics.attempted is not None:
            statistics.attempted(endpoint.provider, request, now_s - sent_s, completion)
        statistics.answered += 1
        endpoint.answered += 1
        statistics.latency.observe(now_s - sent_s)
        statistics.input_tokens += completion.input_tokens
        statistics.output_tokens += completion.output_tokens
        statistics.cached_tokens += completion.cached_tokens
        statistics.spend_nanos += spend_nanos(endpoint.prices, completion)
        return completion

    async def _until_drain(self, endpoint: Endpoint, request: Request) -> Completion:
        completion: Completion | None = None
        with self.stop.not_past_drain():
            completion = await endpoint.provider.complete(request)
        if completion is None:
            raise Abandoned
        return completion

    def _judged(self, error: AttemptError, trial: Trial, endpoint: Endpoint, sent_s: float, name: str) -> Verdict:
        """How to go on. Raises `RowError` to give the row up, `RunError` to stop the run."""
        statistics, pace, now_s = self.statistics, endpoint.pace, self.clock()
        statistics.faults[type(error).__name__] += 1
        statistics.last_fault = error.message
        asks_for_rest = isinstance(error, Throttled | NotFound)
        is_first_stale = isinstance(error, StaleConnection) and not trial.stale  # a second one is no race any more
        if isinstance(error, Unreachable | Unavailable) and not is_first_stale:
            endpoint.failed += 1
            pace.failed(now_s, sent_s)
        elif not asks_for_rest:
            pace.ended(now_s, sent_s)
        try:
            verdict = after_failure(error, trial, endpoint.health, now_s, self.chance.random())
        except RequestsRefused as refused:
            raise self.pool.of(endpoint, refused) from error
        if asks_for_rest:
            endpoint.throttled += 1
            pace.throttled(now_s, sent_s, verdict.pause_s)
        if verdict.out is not None:
            self.pool.leave_out(endpoint, verdict.out)
        self.pool.check_outage(error, endpoint, name)
        statistics.retries += 1
        return verdict

    async def _wait(self, verdict: Verdict, endpoint: Endpoint, name: str) -> None:
        """A first fault need not wait where another endpoint can be asked."""
        go_on_elsewhere = verdict.trial.faults <= 1 and self.pool.elsewhere(endpoint, name)
        await self._sleep(0.0 if go_on_elsewhere else verdict.seconds)
        nearly_dead = verdict.trial.faults + 1 >= self.policy.attempts_max
        if nearly_dead and self.statistics.in_flight == 0 and endpoint.health.failing_since_s is not None:
            await self._probe(endpoint)

    async def _probe(self, endpoint: Endpoint) -> None:
        """Nobody else is being asked, so nobody can vouch for the endpoint: is it down, or is it this row?"""
        try:
            await self._paid(endpoint, self.probe)
            endpoint.health.vouched(self.clock())
        except AttemptError:
            self.statistics.faults["Probe"] += 1

    async def _sleep(self, seconds: float) -> None:
        self.statistics.waiting += 1
        try:
            if seconds and not await self.stop.sleep(seconds):
                raise Abandoned
        finally:
            self.statistics.waiting -= 1
