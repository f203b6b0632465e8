"""Exchange: where jobs in one event loop share endpoints. A run by itself has one of its own, and pays nothing for it.

Endpoints of the same service share a pace, a limit and a count of requests in flight (`SharedEndpoint`); all else stays
with the job. Whenever there is room somewhere, the exchange gives it to who is next there.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2s
from itertools import count

import anyio

from personastream.core.ceilings import checked
from personastream.engine.bell import Bell
from personastream.engine.endpoint import Endpoint
from personastream.engine.line import Line
from personastream.engine.shared_endpoint import SharedEndpoint
from personastream.errors import ConfigError

EARLIER_S = 0.001
"""A turn that comes earlier than expected by less than this is not worth a look of its own."""
IDLE_KEPT = 100
"""Endpoints that nobody asks any more are remembered, with their pace and counts, but only so many."""
WEIGHT_MIN, WEIGHT_MAX = 0.001, 1000.0


def endpoint_id(service: str) -> str:
    """A short name for a service, the same in every process."""
    return blake2s(service.encode(), digest_size=5).hexdigest()


class Share:
    """A job's place at the exchange. Among those who wait, the highest `priority` is first, then `weight` counts.

    `changed` rings when a ceiling of an endpoint that it asks has changed.
    """

    def __init__(self, exchange: "Exchange", name: str, priority: int, weight: float) -> None:
        self.exchange = exchange
        self.name = name
        self.lines: list[Line] = []
        self.changed = Bell()
        self._endpoints: list[Endpoint] = []
        self._held = False
        self._priority = priority
        self._weight = _weight(weight)

    @property
    def priority(self) -> int:
        """Higher ones first, as long as they want anything."""
        return self._priority

    @priority.setter
    def priority(self, priority: int) -> None:
        self._priority = priority
        for shared in self._waits_at():
            shared.place(self)

    @property
    def weight(self) -> float:
        """Turns beside those of others with the same priority."""
        return self._weight

    @weight.setter
    def weight(self, weight: float) -> None:
        self._weight = _weight(weight)

    @property
    def held(self) -> bool:
        """While this is set, no turn is given out; requests under way go on."""
        return self._held

    @held.setter
    def held(self, held: bool) -> None:
        if held == self._held:
            return
        self._held = held
        for line in self.lines:
            if held:
                line.unlist()
            else:
                line.list()
        if not held:
            for endpoint in self._endpoints:
                endpoint.health.rested()
        self.exchange.serve_all()

    @property
    def in_flight_max(self) -> int:
        """Requests that may be under way at once at all endpoints that the job asks."""
        return sum(shared.ceilings.in_flight_max for shared in {each.shared for each in self._endpoints})

    def enter(self, endpoints: Sequence[Endpoint]) -> None:
        """The job asks these from now on."""
        self._endpoints += endpoints
        self.exchange.enter(self, endpoints)

    def exit(self, endpoints: Sequence[Endpoint], lines: Sequence[Line]) -> None:
        """It asks these no more, and nobody waits in these lines."""
        for line in lines:
            line.abandon()
        gone = set(map(id, endpoints))
        self.lines = [line for line in self.lines if line not in lines]
        self._endpoints = [each for each in self._endpoints if id(each) not in gone]
        self.exchange.exit(endpoints)

    def leave(self) -> None:
        """The job is over."""
        self.exit(list(self._endpoints), list(self.lines))
        self.exchange.forget(self)

    def _waits_at(self) -> list[SharedEndpoint]:
        return [each.shared for each in self._endpoints if any(line.share is self for line in each.shared.lines)]


class Exchange:
    """`clock` tells seconds, monotonic, as for all endpoints' paces. `endpoints` by their ids, `shares` in order.

    `run` must be running for turns that come with time: any number may run it, one is at work.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.endpoints: dict[str, SharedEndpoint] = {}
        self.shares: list[Share] = []
        self._imposed: dict[str, dict[str, float]] = {}
        self._private = count()
        self._looks_s = -math.inf
        self._changed = anyio.Event()
        self._timing = anyio.Lock()

    def join(self, name: str, priority: int = 0, weight: float = 1.0) -> Share:
        """A job comes."""
        share = Share(self, name, priority, weight)
        self.shares.append(share)
        return share

    def forget(self, share: Share) -> None:
        """A job has gone."""
        if share in self.shares:
            self.shares.remove(share)

    # Ceilings.

    def change(self, identity: str, **ceilings: object) -> None:
        """Set ceilings of an endpoint, whatever jobs name, at once; 0 a minute: no limit. Raises `ConfigError`.

        Those not named stay as they are. Holds also for an endpoint that is asked later on.
        """
        self.impose(identity, {**self._imposed.get(identity, {}), **checked(ceilings)})

    def impose(self, identity: str, ceilings: Mapping[str, object]) -> None:
        """Like `change`, but those not named are again what jobs name. Raises `ConfigError`."""
        self._imposed[identity] = checked(ceilings)
        if not ceilings:
            del self._imposed[identity]
        shared = self.endpoints.get(identity)
        if shared is not None:
            self._hold(shared)

    @property
    def imposed(self) -> Mapping[str, Mapping[str, float]]:
        """What `change` and `impose` have set, by endpoint."""
        return self._imposed

    def _hold(self, shared: SharedEndpoint) -> None:
        if shared.hold_to(self._imposed.get(shared.id, {}), self.clock()):
            for share in shared.shares:
                share.changed.ring()
            self.serve(shared)

    # Keys.

    def renew_keys(self) -> tuple[int, list[ConfigError]]:
        """Have all providers read their keys again: how many have another one now, and what is wrong with others.

        Where something is wrong, the old key stays in use.
        """
        renewed, errors = 0, list[ConfigError]()
        for shared in self.endpoints.values():
            for endpoint in shared.members:
                renew = getattr(endpoint.provider, "renew_key", None)
                if renew is not None:
                    try:
                        renewed += renew()
                    except ConfigError as error:
                        error.message = f"{endpoint.called}: {error.message}"
                        errors.append(error)
        return renewed, errors

    # Who asks what.

    def enter(self, share: Share, endpoints: Sequence[Endpoint]) -> None:
        """A job asks these endpoints from now on."""
        for endpoint in endpoints:
            service = endpoint.service or f"{share.name} {endpoint.label} {next(self._private)}"
            identity = endpoint_id(service)
            shared = self.endpoints.pop(identity, None) or SharedEndpoint(identity, endpoint)
            self.endpoints[identity] = shared  # the last one entered is the last one forgotten
            shared.enter(share, endpoint)
        for shared in {each.shared for each in endpoints}:
            self._hold(shared)

    def exit(self, endpoints: Sequence[Endpoint]) -> None:
        """A job does not ask them any more."""
        for endpoint in endpoints:
            shared = endpoint.shared
            shared.exit(endpoint)
            if not endpoint.service:
                del self.endpoints[shared.id]
            elif shared.jobs:
                self._hold(shared)
                self.serve(shared)
        idle = [identity for identity, shared in self.endpoints.items() if not shared.jobs]
        for identity in idle[: max(0, len(idle) - IDLE_KEPT)]:
            del self.endpoints[identity]

    # Turns.

    def serve(self, shared: SharedEndpoint) -> None:
        """Give turns to those who wait for it, as far as there are any; see to it that `run` looks again in time."""
        lines = shared.lines
        if not lines:
            return
        now_s, pace = self.clock(), shared.pace
        while lines:
            if shared.in_flight >= pace.limit:  # it takes an answer first
                pace.wait_s(now_s, shared.in_flight)  # hears of it, and knows that the limit is what is in the way
                return
            line = shared.first()
            if not line.give(now_s):
                if now_s + line.wait_s(now_s) < self._looks_s - EARLIER_S:
                    self._changed.set()
                return

    def serve_all(self) -> None:
        """The same everywhere."""
        for shared in list(self.endpoints.values()):
            self.serve(shared)

    async def run(self) -> None:
        """Give out the turns that only time brings, until cancelled."""
        async with self._timing:
            while True:
                now_s = self.clock()
                waiting = [shared.first() for shared in self.endpoints.values() if shared.lines]
                self._looks_s = now_s + min((line.wait_s(now_s) for line in waiting), default=math.inf)
                with anyio.move_on_after(self._looks_s - now_s):
                    await self._changed.wait()
                self._changed = anyio.Event()
                self.serve_all()


def _weight(weight: float) -> float:
    if not WEIGHT_MIN <= weight <= WEIGHT_MAX:
        raise ConfigError(f"weight must be between {WEIGHT_MIN:g} and {WEIGHT_MAX:g}")
    return weight
