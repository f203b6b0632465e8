"""An endpoint: one model service under one key, as one job asks it, and what all jobs that ask it share."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from personastream.core.ceilings import Ceilings
from personastream.core.pace import Pace
from personastream.core.retry import Health
from personastream.errors import RunError
from personastream.ports import Limit, Provider
from personastream.records import Prices

if TYPE_CHECKING:
    from personastream.engine.shared_endpoint import SharedEndpoint


_UNSAID = Ceilings()


@dataclass(slots=True, eq=False)
class Endpoint:
    """`in_flight` is this job's requests on their way to it or under way; `out` is why it is not to be asked any more.

    `name` is what requests call it that only it, and others of that name, may answer; a `reserved` one answers no other
    requests. `weight` is its share of the load beside others. `requests`, `answered`, `throttled` and `failed` count
    this sitting. A `resumable` one goes on without us: what is under way when the run drains is left there for the next
    sitting. Endpoints of the same `service` share one pace and one limit, which are then the same object (`shared`);
    without a service it shares with nobody. `ceilings` are what this job names for it, by default
    those of its pace alone.
    """

    provider: Provider
    pace: Pace
    health: Health
    limit: Limit | None = None
    weight: float = 1.0
    resumable: bool = False
    prices: Prices = field(default_factory=Prices)
    label: str = ""
    name: str = ""
    reserved: bool = False
    service: str = ""
    model: str = ""
    ceilings: Ceilings = _UNSAID
    in_flight: int = 0
    requests: int = 0
    answered: int = 0
    throttled: int = 0
    failed: int = 0
    out: RunError | None = None
    shared: "SharedEndpoint" = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.ceilings is _UNSAID:
            self.ceilings = Ceilings(self.pace.in_flight_max)

    @property
    def called(self) -> str:
        """Which provider, for people: `the provider 'judge' (127.0.0.1:9000 llama-guard)`."""
        return f"the provider {self.name!r} ({self.label})" if self.name else f"the provider {self.label}"
