"""Pool: the endpoints of a run, and the queue of requests that wait for their turn at one of them.

First come, first served, but what is asked again goes before what is asked first. Each turn goes to the endpoint with
the least load for its weight among those that may be asked now, and preferably not to the one that failed last.
Requests that only endpoints of a certain name may answer wait in a line of their own, and hold up nobody else.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import anyio

from personastream.engine.endpoint import Endpoint
from personastream.engine.stop import Stop
from personastream.errors import AttemptError, ConfigError, ProviderDown, RunError


class Abandoned(BaseException):
    """The run drains while this request waits: the row is left for the next sitting. No recipe's business."""


EARLIER_S = 0.001
"""A turn that comes earlier than expected by less than this is not worth a look of its own."""


class Turn(NamedTuple):
    """Leave to send one request: where to, and the time that its `pace` knows it by."""

    endpoint: Endpoint
    sent_s: float


class _Waiter:
    __slots__ = ("avoid", "event", "turn")

    def __init__(self, avoid: Endpoint | None) -> None:
        self.avoid = avoid
        self.turn: Turn | None = None
        self.event = anyio.Event()


class _Line:
    """A queue of requests, and the endpoints that may answer them: all but reserved ones, or those of one name."""

    __slots__ = ("again", "endpoints", "first", "only")

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self.endpoints = endpoints
        self.only = endpoints[0] if len(endpoints) == 1 else None
        self.first: deque[_Waiter] = deque()
        self.again: deque[_Waiter] = deque()

    def choose(self, now_s: float, avoid: Endpoint | None) -> Endpoint | None:
        only = self.only
        if only is not None:
            return only if only.out is None and only.pace.wait_s(now_s, only.in_flight) == 0.0 else None
        best, least = None, math.inf
        for endpoint in self.endpoints:
            load = (endpoint.in_flight + 1) / endpoint.weight
            if endpoint is avoid:
                load += _AVOIDED
            if load < least and endpoint.out is None and endpoint.pace.wait_s(now_s, endpoint.in_flight) == 0.0:
                best, least = endpoint, load
        return best

    def next_s(self, now_s: float) -> float:
        """Seconds until an endpoint may be asked, if nothing else happens; infinite if that takes an answer first."""
        return min(
            (each.pace.wait_s(now_s, each.in_flight) for each in self.endpoints if each.out is None),
            default=math.inf,
        )

    @property
    def out(self) -> RunError | None:
        """Why nobody is left to be asked, if so."""
        reasons = [each.out for each in self.endpoints]
        return None if None in reasons else reasons[-1]


class Pool:
    """Hands out turns. `run` must be running for turns that come with time. `clock` tells seconds, monotonic."""

    def __init__(self, endpoints: Sequence[Endpoint], stop: Stop, clock: Callable[[], float]) -> None:
        self._endpoints = endpoints
        self._any = _Line([each for each in endpoints if not each.reserved])
        self._lines = {"": self._any}
        self._stop = stop
        self._clock = clock
        self._looks_s = -math.inf
        self._changed = anyio.Event()

    async def turn(self, again: bool, avoid: Endpoint | None, name: str = "") -> Turn:
        """Wait for a turn; give it back in the end, when `pace` knows how it went. Raises `Abandoned` on a drain."""
        now_s = self._clock()
        line = self._any if not name else self._line(name)
        if not line.again and not line.first and (endpoint := line.choose(now_s, avoid)) is not None:
            return self._take(endpoint, now_s)
        if self._stop.draining:
            raise Abandoned
        waiter = _Waiter(avoid)
        (line.again if again else line.first).append(waiter)
        self._serve(line, now_s)
        try:
            await waiter.event.wait()
        except BaseException:
            waiter.event.set()  # whoever comes to it in the queue passes it over
            if waiter.turn is not None:
                waiter.turn.endpoint.pace.ended(self._clock(), waiter.turn.sent_s)
                self.give_back(waiter.turn.endpoint)
            raise
        if waiter.turn is None:
            raise Abandoned
        return waiter.turn

    def give_back(self, endpoint: Endpoint) -> None:
        """The request has ended, and the endpoint's `pace` knows how."""
        endpoint.in_flight -= 1
        self._serve_all()

    def leave_out(self, endpoint: Endpoint, why: RunError) -> None:
        """Ask this endpoint no more. Raises why if nobody is left for requests that come."""
        endpoint.out = endpoint.out or self.of(endpoint, why)
        for line in self._lines.values():
            if endpoint in line.endpoints and line.out is not None:
                raise endpoint.out
        self._serve_all()

    def of(self, endpoint: Endpoint, error: RunError) -> RunError:
        """The error, saying of which endpoint it speaks if there are several."""
        if len(self._endpoints) > 1:
            error.message = f"{endpoint.called}: {error.message}"
        return error

    def elsewhere(self, endpoint: Endpoint, name: str = "") -> bool:
        """Whether another endpoint may be asked now."""
        line = self._lines[name]
        if line.only is not None:
            return False
        now_s = self._clock()
        others = (each for each in line.endpoints if each is not endpoint and each.out is None)
        return any(each.pace.wait_s(now_s, each.in_flight) == 0.0 for each in others)

    def spare(self, avoid: Endpoint, name: str = "") -> Turn | None:
        """A turn at another endpoint, if one may be asked now and nobody waits for it."""
        line, now_s = self._line(name) if name else self._any, self._clock()
        if line.again or line.first or self._stop.draining:
            return None
        endpoint = line.choose(now_s, avoid)
        return None if endpoint is None or endpoint is avoid else self._take(endpoint, now_s)

    def check_outage(self, error: AttemptError, endpoint: Endpoint, name: str = "") -> None:
        """Raise `ProviderDown` if every endpoint has done nothing but fail for longer than its `outage_s_max`.

        `error` is what `endpoint` has failed with just now.
        """
        now_s = self._clock()
        left = [each.health for each in self._lines[name].endpoints if each.out is None]
        silent_s = min((health.failing_s(now_s) for health in left), default=0.0)
        if left and all(health.failing_s(now_s) > health.policy.outage_s_max for health in left):
            down = ProviderDown(
                f"no request has succeeded for {silent_s:.0f} s; the last failure: {error.message}",
                hint="Check the endpoint, then run again with --resume; nothing is lost. "
                "`[limits] outage_s_max` sets the patience.",
            )
            raise self.of(endpoint, down) from error

    async def run(self) -> None:
        """Give out the turns that only time brings, until cancelled."""
        while True:
            now_s = self._clock()
            waiting = [line for line in self._lines.values() if line.again or line.first]
            self._looks_s = now_s + min((line.next_s(now_s) for line in waiting), default=math.inf)
            with anyio.move_on_after(self._looks_s - now_s):
                await self._changed.wait()
            self._changed = anyio.Event()
            self._serve_all()

    async def abandon_on_drain(self) -> None:
        """When the run drains, let all go that wait."""
        await self._stop.wait_drain()
        for line in self._lines.values():
            for queue in (line.again, line.first):
                while queue:
                    queue.popleft().event.set()

    def _line(self, name: str) -> _Line:
        """The line for endpoints of this name, from the first request for them on. Raises why none is left."""
        line = self._lines.get(name)
        if line is None:
            line = self._lines[name] = _Line([each for each in self._endpoints if each.name == name])
            if not line.endpoints:
                raise ConfigError(f"no provider has the name {name!r}")
        if line.out is not None:
            raise line.out
        return line

    def _serve_all(self) -> None:
        for line in self._lines.values():
            if line.again or line.first:
                self._serve(line, self._clock())

    def _serve(self, line: _Line, now_s: float) -> None:
        """Give turns to those who wait, as far as there are any; see to it that `run` looks again in time."""
        while waiting := line.again or line.first:
            endpoint = line.choose(now_s, waiting[0].avoid)
            if endpoint is None:
                if now_s + line.next_s(now_s) < self._looks_s - EARLIER_S:
                    self._changed.set()
                return
            if line.first and endpoint.pace.state(now_s) == "half-open":
                waiting = line.first  # what has failed before proves little if it fails again
            waiter = waiting.popleft()
            if not waiter.event.is_set():
                waiter.turn = self._take(endpoint, now_s)
                waiter.event.set()

    def _take(self, endpoint: Endpoint, now_s: float) -> Turn:
        endpoint.in_flight += 1
        endpoint.pace.sent(now_s)
        return Turn(endpoint, now_s)


_AVOIDED = 1e9
"""More than any load: where else a request can go, it does not go back to where it has just failed."""
