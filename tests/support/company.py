"""Several jobs that share endpoints, on a virtual clock."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio

from personastream.core.ceilings import Ceilings
from personastream.core.pace import Pace
from personastream.core.retry import Health
from personastream.engine.endpoint import Endpoint
from personastream.engine.exchange import Exchange, Share, endpoint_id
from personastream.engine.run import Graph
from personastream.errors import RunError
from personastream.providers.limit import ProviderLimit
from personastream.testing import ScriptedProvider
from tests.support.virtual import Bench, on_virtual_clock

SERVICE = "http://127.0.0.1/v1 model"
ID = endpoint_id(SERVICE)


@dataclass
class Job(Bench):
    """A bench with a place at an exchange; all of its providers are services that others may ask as well."""

    name: str = "job"
    priority: int = 0
    weight: float = 1.0
    providers: Sequence[ScriptedProvider] = ()
    services: Sequence[str] = (SERVICE,)
    ceilings: Ceilings = field(default_factory=lambda: Ceilings(8))
    adaptive: bool = False
    begins_s: float = 0.0
    share: Share | None = None
    failure: RunError | None = None
    finished: bool = False
    made: list[Endpoint] = field(init=False, default_factory=list)

    def endpoints(self) -> list[Endpoint]:
        now_s = anyio.current_time()
        self.made = [
            Endpoint(
                provider,
                Pace(self.ceilings.in_flight_max, self.adaptive, now_s),
                Health(self.retry, now_s),
                ProviderLimit(self.ceilings, now_s),
                label=service,
                service=service,
                ceilings=self.ceilings,
            )
            for provider, service in zip(self.providers or [self.provider], self.services, strict=True)
        ]
        return self.made

    def graph(self) -> Graph:
        graph = super().graph()
        graph.share = self.share
        return graph

    async def take_part(self, exchange: Exchange) -> None:
        """From its beginning to its end; what ends it is kept."""
        await anyio.sleep(self.begins_s)
        self.share = exchange.join(self.name, self.priority, self.weight)
        try:
            self.finished = (await self.sit_async()).finished
        except RunError as error:
            self.failure = error
        finally:
            self.share.leave()

    @property
    def asked(self) -> int:
        """Requests sent so far."""
        return sum(len(each.requests) for each in self.providers or [self.provider])


Meanwhile = Callable[[Exchange], Coroutine[Any, Any, None]]


def together(*jobs: Job, meanwhile: Meanwhile | None = None) -> Exchange:
    """All jobs side by side, and something beside them, which is cut short when they have ended."""

    async def sit() -> Exchange:
        exchange = Exchange(anyio.current_time)
        async with anyio.create_task_group() as around:
            if meanwhile is not None:
                around.start_soon(meanwhile, exchange)
            async with anyio.create_task_group() as sitting:
                for job in jobs:
                    sitting.start_soon(job.take_part, exchange)
            around.cancel_scope.cancel()
        return exchange

    return on_virtual_clock(sit)
