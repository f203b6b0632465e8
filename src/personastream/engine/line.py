"""Line: a job's queue of requests, and the endpoints that may answer them.

First come, first served, but what is asked again goes before what is asked first. Each turn goes to the endpoint with
the least load for its weight among those that may be asked now, and preferably not to the one that failed last.
"""

import math
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import anyio

from personastream.engine.endpoint import Endpoint
from personastream.errors import RunError
from personastream.ports import Tokens
from personastream.records import Request

if TYPE_CHECKING:
    from personastream.engine.exchange import Share


class Turn(NamedTuple):
    """Leave to send one request: where to, the time that its `pace` knows it by, what its `limit` has reserved."""

    endpoint: Endpoint
    sent_s: float
    reserved: Tokens | None = None


class Waiter:
    """Somebody who waits for a turn. Whoever has gone has set the event."""

    __slots__ = ("avoid", "event", "request", "turn")

    def __init__(self, request: Request, avoid: Endpoint | None) -> None:
        self.request = request
        self.avoid = avoid
        self.turn: Turn | None = None
        self.event = anyio.Event()


class Line:
    """The endpoints are all but reserved ones, or those of one name. It is listed where it waits, unless held."""

    __slots__ = ("again", "endpoints", "first", "listed", "only", "share")

    def __init__(self, share: "Share", endpoints: Sequence[Endpoint]) -> None:
        self.share = share
        self.endpoints = endpoints
        self.only = endpoints[0] if len(endpoints) == 1 else None
        self.first: deque[Waiter] = deque()
        self.again: deque[Waiter] = deque()
        self.listed = False

    def choose(self, now_s: float, request: Request, avoid: Endpoint | None) -> Endpoint | None:
        """The endpoint that this request is best sent to now, if there is any."""
        only = self.only
        if only is not None:
            return only if self._may_ask(only) and only.shared.wait_s(now_s, request) == 0.0 else None
        best, least = None, math.inf
        for endpoint in self.endpoints:
            load = (endpoint.in_flight + 1) / endpoint.weight
            if endpoint is avoid:
                load += _AVOIDED
            if load < least and self._may_ask(endpoint) and endpoint.shared.wait_s(now_s, request) == 0.0:
                best, least = endpoint, load
        return best

    def _may_ask(self, endpoint: Endpoint) -> bool:
        """Whether it is not out, and nobody who waits for it is to be served before."""
        if endpoint.out is not None:
            return False
        waiting = len(endpoint.shared.lines)
        if waiting > 1:
            return endpoint.shared.first() is self
        return waiting == 0 or self.listed

    def take(self, endpoint: Endpoint, now_s: float, request: Request) -> Turn:
        """A turn at this endpoint; whether it has room has been asked before."""
        shared, limit = endpoint.shared, endpoint.limit
        endpoint.in_flight += 1
        shared.in_flight += 1
        endpoint.pace.sent(now_s)
        reserved = limit.take(request) if limit is not None and limit.bounds else None
        return Turn(endpoint, now_s, reserved)

    def wait(self, waiter: Waiter, again: bool) -> bool:
        """Join the queue. Returns whether that may change who is next."""
        (self.again if again else self.first).append(waiter)
        if self.listed:
            return again
        self.list()
        return True

    def give(self, now_s: float) -> bool:
        """A turn for who is next, or strike off who has gone. Returns whether there was anything to do."""
        waiting = self.again or self.first
        while waiting and waiting[0].event.is_set():
            waiting.popleft()
            waiting = self.again or self.first
        if not waiting:
            self.unlist()
            return True
        endpoint = self.choose(now_s, waiting[0].request, waiting[0].avoid)
        if endpoint is None:
            return False
        if self.first and endpoint.pace.state(now_s) == "half-open":
            waiting = self.first  # what has failed before proves little if it fails again
        waiter = waiting.popleft()
        if not waiter.event.is_set():
            waiter.turn = self.take(endpoint, now_s, waiter.request)
            endpoint.shared.served(self)
            waiter.event.set()
        if not self.first and not self.again:
            self.unlist()
        return True

    def wait_s(self, now_s: float) -> float:
        """Seconds until who is next may be served, if nothing else happens; infinite if that takes an answer first."""
        waiting = self.again or self.first
        if not waiting:
            return math.inf
        request = waiting[0].request
        return min(
            (each.shared.wait_s(now_s, request) for each in self.endpoints if self._may_ask(each)), default=math.inf
        )

    def list(self) -> None:
        """Wait for a turn wherever there may be one."""
        if not self.share.held and (self.first or self.again):
            self.listed = True
            for endpoint in self.endpoints:
                if endpoint.out is None:
                    endpoint.shared.list(self)

    def unlist(self) -> None:
        """Wait nowhere."""
        self.listed = False
        for endpoint in self.endpoints:
            endpoint.shared.unlist(self)

    def abandon(self) -> None:
        """Let all go that wait, without a turn."""
        for queue in (self.again, self.first):
            while queue:
                queue.popleft().event.set()
        self.unlist()

    @property
    def out(self) -> RunError | None:
        """Why nobody is left to be asked, if so."""
        reasons = [each.out for each in self.endpoints]
        return None if None in reasons else reasons[-1]


_AVOIDED = 1e9
"""More than any load: where else a request can go, it does not go back to where it has just failed."""
