"""Pool: one job's side of the exchange: its endpoints, and the lines in which its requests wait for a turn at one.

Requests that only endpoints of a certain name may answer wait in a line of their own, and hold up nobody else.
"""

from collections.abc import Sequence

from personastream.engine.endpoint import Endpoint
from personastream.engine.exchange import Share
from personastream.engine.line import Line, Turn, Waiter
from personastream.engine.stop import Stop
from personastream.errors import AttemptError, ConfigError, ProviderDown, RunError
from personastream.ports import NO_TOKENS
from personastream.records import Request


class Abandoned(BaseException):
    """The run drains while this request waits: the row is left for the next sitting. No recipe's business."""


class Pool:
    """Hands out turns to one job, as its `share` of the exchange allows. `close` it in the end."""

    def __init__(self, endpoints: Sequence[Endpoint], stop: Stop, share: Share) -> None:
        self._endpoints = endpoints
        self._stop = stop
        self._share = share
        self._exchange = share.exchange
        self._clock = share.exchange.clock
        share.enter(endpoints)
        self._lines: dict[str, Line] = {}
        self._any = self._new_line("", [each for each in endpoints if not each.reserved])

    def close(self) -> None:
        """No more turns are wanted."""
        self._share.exit(self._endpoints, list(self._lines.values()))

    async def turn(self, request: Request, again: bool = False, avoid: Endpoint | None = None) -> Turn:
        """Wait for a turn; give it back in the end, when `pace` knows how it went. Raises `Abandoned` on a drain."""
        now_s = self._clock()
        line = self._any if not request.provider else self._line(request.provider)
        if not line.listed and not self._share.held and (endpoint := line.choose(now_s, request, avoid)) is not None:
            return line.take(endpoint, now_s, request)
        if self._stop.draining:
            raise Abandoned
        waiter = Waiter(request, avoid)
        if line.wait(waiter, again):
            self._serve(line)
        try:
            await waiter.event.wait()
        except BaseException:
            waiter.event.set()  # whoever comes to it in the queue passes it over
            if (turn := waiter.turn) is not None:
                now_s = self._clock()
                if turn.reserved is not None and turn.endpoint.limit is not None:
                    turn.endpoint.limit.settle(turn.reserved, NO_TOKENS)
                turn.endpoint.pace.ended(now_s, turn.sent_s)
                self.give_back(turn.endpoint)
            raise
        if waiter.turn is None:
            raise Abandoned
        return waiter.turn

    def give_back(self, endpoint: Endpoint) -> None:
        """The request has ended, and the endpoint's `pace` knows how."""
        endpoint.in_flight -= 1
        shared = endpoint.shared
        shared.in_flight -= 1
        if shared.lines:
            self._exchange.serve(shared)

    def leave_out(self, endpoint: Endpoint, why: RunError) -> None:
        """Ask this endpoint no more in this sitting. Raises why if nobody is left for requests that come."""
        endpoint.out = endpoint.out or self.of(endpoint, why)
        lines = [line for line in self._lines.values() if endpoint in line.endpoints]
        for line in lines:
            if line.listed:
                line.unlist()
                line.list()
        self._exchange.serve(endpoint.shared)
        for line in lines:
            if line.out is not None:
                raise endpoint.out
            self._serve(line)

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
        return any(each.pace.wait_s(now_s, each.shared.in_flight) == 0.0 for each in others)

    def spare(self, request: Request, avoid: Endpoint) -> Turn | None:
        """A turn at another endpoint, if one may be asked now and nobody waits for it."""
        line, now_s = self._line(request.provider) if request.provider else self._any, self._clock()
        if line.again or line.first or self._share.held or self._stop.draining:
            return None
        endpoint = line.choose(now_s, request, avoid)
        return None if endpoint is None or endpoint is avoid else line.take(endpoint, now_s, request)

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
        await self._exchange.run()

    async def raised(self, by: int) -> int:
        """Return once more requests may be under way than the job names for its endpoints, by more than `by`."""
        named = sum(each.ceilings.in_flight_max for each in self._endpoints)
        while (more := self._share.in_flight_max - named) <= by:
            await self._share.changed.next().wait()
        return more

    async def abandon_on_drain(self) -> None:
        """When the run drains, let all go that wait."""
        await self._stop.wait_drain()
        for line in self._lines.values():
            line.abandon()
            self._serve(line)  # others may have waited behind it

    def _line(self, name: str) -> Line:
        """The line for endpoints of this name, from the first request for them on. Raises why none is left."""
        line = self._lines.get(name)
        if line is None:
            endpoints = [each for each in self._endpoints if each.name == name]
            if not endpoints:
                raise ConfigError(f"no provider has the name {name!r}")
            line = self._new_line(name, endpoints)
        if line.out is not None:
            raise line.out
        return line

    def _new_line(self, name: str, endpoints: Sequence[Endpoint]) -> Line:
        line = self._lines[name] = Line(self._share, endpoints)
        self._share.lines.append(line)
        return line

    def _serve(self, line: Line) -> None:
        """Give turns wherever this line waits, or has waited."""
        for endpoint in line.endpoints:
            self._exchange.serve(endpoint.shared)
