"""An endpoint: one model service under one key, with all that is known of it and all that holds it back."""

from dataclasses import dataclass, field

from personastream.core.pace import Pace
from personastream.core.retry import Health
from personastream.errors import RunError
from personastream.ports import Limit, Provider
from personastream.records import Prices


@dataclass(slots=True, eq=False)
class Endpoint:
    """`in_flight` is the requests on their way to it or under way; `out` is why it is not to be asked any more.

    `name` is what requests call it that only it, and others of that name, may answer; a `reserved` one answers no other
    requests. `weight` is its share of the load beside others. `requests`, `answered` and `throttled` count this
    sitting. A `resumable` one goes on without us: what is under way when the run drains is left there for the next
    sitting.
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
    in_flight: int = 0
    requests: int = 0
    answered: int = 0
    throttled: int = 0
    out: RunError | None = None

    @property
    def called(self) -> str:
        """Which provider, for people: `the provider 'judge' (127.0.0.1:9000 llama-guard)`."""
        return f"the provider {self.name!r} ({self.label})" if self.name else f"the provider {self.label}"
