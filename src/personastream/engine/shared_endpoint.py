"""What all jobs share that ask one model service under one key: its pace, its limits, and the order of those who wait.

A turn goes to the job with the highest priority; among equals by weighted fair queueing: each turn moves a job's tag on
by 1/weight, and the lowest tag is next. So jobs that wait all the time get turns in the ratio of their weights, whoever
does not want its share leaves it to the others, and whoever comes back has saved nothing up. After Goyal, Vin and
Cheng, "Start-time Fair Queueing" (1996).
"""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, NamedTuple

from personastream.core.ceilings import Ceilings, strictest, together
from personastream.engine.endpoint import Endpoint
from personastream.records import Request

if TYPE_CHECKING:
    from personastream.engine.exchange import Share
    from personastream.engine.line import Line


class Asked(NamedTuple):
    """Requests sent, and of these: answered as they should be, turned away for now, failed by the endpoint's fault."""

    requests: int = 0
    answered: int = 0
    throttled: int = 0
    failed: int = 0


class SharedEndpoint:
    """One service under one key. `in_flight` counts all jobs' requests; `lines` are the queues that wait for it."""

    def __init__(self, identity: str, first: Endpoint) -> None:
        self.id = identity
        self.label, self.model = first.label, first.model
        self.pace, self.limit = first.pace, first.limit
        self.ceilings = first.ceilings
        self.in_flight = 0
        self.lines: dict[Line, None] = {}
        self._members: dict[Endpoint, Share] = {}
        self._tags: dict[Share, float] = {}
        self._gone = Asked()

    def wait_s(self, now_s: float, request: Request) -> float:
        """0: this request may be sent now. Else seconds after which to ask again; infinite: when something has ended.

        Whose turn it is does not count here.
        """
        wait_s = self.pace.wait_s(now_s, self.in_flight)
        limit = self.limit
        if limit is not None and limit.bounds and wait_s == 0.0:
            return limit.wait_s(request, now_s)
        return wait_s

    # Who asks it.

    def enter(self, share: "Share", endpoint: Endpoint) -> None:
        """A job asks it from now on."""
        self._members[endpoint] = share
        self._tags.setdefault(share, 0.0)
        endpoint.shared, endpoint.pace, endpoint.limit = self, self.pace, self.limit

    def exit(self, endpoint: Endpoint) -> None:
        """That job does not ask it any more; what it counted stays counted."""
        share = self._members.pop(endpoint)
        if share not in self._members.values():
            self._tags.pop(share, None)
        self._gone = Asked(*map(sum, zip(self._gone, _asked(endpoint), strict=True)))

    @property
    def members(self) -> Collection[Endpoint]:
        """The jobs' endpoints that are this one."""
        return self._members.keys()

    @property
    def shares(self) -> list["Share"]:
        """Those who ask it, each once."""
        return list(dict.fromkeys(self._members.values()))

    @property
    def jobs(self) -> list[str]:
        """Their names."""
        return [share.name for share in self.shares]

    # What it may be sent.

    def hold_to(self, imposed: Mapping[str, float], now_s: float) -> bool:
        """Follow the strictest ceilings that jobs name, but for those imposed. Returns whether that changed anything.

        With nobody here, the last ones stay.
        """
        named = [self._named_by(share) for share in self.shares]
        ceilings = (strictest(named) if named else self.ceilings).but(imposed)
        if ceilings == self.ceilings:
            return False
        self.ceilings = ceilings
        self.pace.change(ceilings.in_flight_max, now_s)
        if self.limit is not None:
            self.limit.change(ceilings, now_s)
        return True

    def _named_by(self, share: "Share") -> Ceilings:
        return together(endpoint.ceilings for endpoint, whose in self._members.items() if whose is share)

    # Who is next.

    def first(self) -> "Line":
        """The queue whose turn it is, of those that wait."""
        lines = self.lines
        if len(lines) == 1:
            return next(iter(lines))
        tags = self._tags
        return min(lines, key=lambda line: (-line.share.priority, tags[line.share]))

    def list(self, line: "Line") -> None:
        """A queue waits from now on."""
        self.lines[line] = None
        self.place(line.share)

    def unlist(self, line: "Line") -> None:
        """It waits no more."""
        self.lines.pop(line, None)

    def place(self, share: "Share") -> None:
        """Put a job that comes among its equals at their present time: with no more behind it than one turn."""
        tags = self._tags
        equals = [
            tags[line.share] for line in self.lines if line.share is not share and line.share.priority == share.priority
        ]
        if equals:
            now = min(equals)
            tags[share] = min(max(now, tags[share]), now + 1.0 / share.weight)

    def served(self, line: "Line") -> None:
        """A queue has had a turn. Where it waits alone, nobody counts."""
        if len(self.lines) > 1:
            self._tags[line.share] += 1.0 / line.share.weight
            self.lines[line] = self.lines.pop(line, None)  # queues of one job take turns

    # What has happened, for people.

    @property
    def asked(self) -> Asked:
        """What all jobs have sent since the process began."""
        return Asked(*map(sum, zip(self._gone, *map(_asked, self._members), strict=True)))

    def state(self, now_s: float) -> str:
        """`closed` (requests flow), `open`, `half-open`, or `out`, if no job may ask it any more."""
        if self._members and all(each.out is not None for each in self._members):
            return "out"
        return self.pace.state(now_s)

    @property
    def why(self) -> str:
        """What changed last, in words; or why it is out."""
        outs = [each.out for each in self._members]
        if outs and None not in outs and outs[-1] is not None:
            return outs[-1].message
        return self.pace.reason


def _asked(endpoint: Endpoint) -> Asked:
    return Asked(endpoint.requests, endpoint.answered, endpoint.throttled, endpoint.failed)
