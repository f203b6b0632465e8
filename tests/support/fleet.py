"""Engine runs over several providers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import anyio

from personastream.core.pace import Pace
from personastream.core.retry import Health
from personastream.engine.endpoint import Endpoint
from personastream.errors import AttemptError
from personastream.records import Request
from personastream.testing import ScriptedProvider
from tests.support.virtual import Bench

Fault = Callable[[Request, int], AttemptError | None]


@dataclass
class Fleet(Bench):
    """A bench with several providers; `adaptive` as in their `pacing`."""

    providers: Sequence[ScriptedProvider] = ()
    weights: Sequence[float] = ()
    adaptive: bool = False
    made: list[Endpoint] = field(init=False, default_factory=list)

    def endpoints(self) -> list[Endpoint]:
        now_s = anyio.current_time()
        self.made = [
            Endpoint(
                provider, Pace(provider.in_flight_max, self.adaptive, now_s), Health(self.retry, now_s), weight=weight
            )
            for provider, weight in zip(self.providers, self.weights or [1.0] * len(self.providers), strict=True)
        ]
        return self.made


def rows(count: int) -> list[list[str]]:
    return [[f"row {row}" for row in range(count)]]
