"""A provider that answers when a test lets it: named in configurations as `tests.support.gated:Gated`."""

from dataclasses import dataclass

import anyio

from personastream.errors import Refused, Unauthorized, Unavailable
from personastream.records import Completion, Prices, Request
from personastream.settings import setting
from tests.support.adapters import Parrot


class Gate:
    """What all providers of this kind obey. Made inside the event loop."""

    def __init__(self) -> None:
        self.opened = anyio.Event()
        self.asked = 0
        self.answered = 0
        self.closes_at = 0
        self.down = False
        self.refuses = False
        self.breaks = False
        self.key_is_good = True

    def open(self) -> None:
        """From now on all are answered."""
        self.opened.set()

    def open_until(self, answered: int) -> None:
        """From now on all are answered, until so many are."""
        self.closes_at = answered
        self.open()

    def close(self) -> None:
        """From now on all wait."""
        self.opened = anyio.Event()


gates: list[Gate] = []


@dataclass
class Gated(Parrot):
    """Answers once the gate is open, and fails as it is told."""

    base_url: str = setting("Where it would be.", default="http://127.0.0.1:9/v1", identity=False)

    input_price: float = setting("Price.", default=0.0, identity=False)
    output_price: float = setting("Price.", default=0.0, identity=False)

    @property
    def prices(self) -> Prices:
        """Per million tokens."""
        return Prices(self.input_price, 0.0, self.output_price)

    @property
    def service(self) -> str:
        """All jobs that name it share it."""
        return f"gated {self.base_url}"

    async def complete(self, request: Request) -> Completion:
        gate = gates[-1]
        gate.asked += 1
        if gate.down:
            raise Unavailable("it is down")
        if gate.breaks:
            raise ZeroDivisionError
        if not gate.key_is_good:
            raise Unauthorized("the key is refused")
        await gate.opened.wait()
        while not gate.opened.is_set():  # closed again before this one was through
            await gate.opened.wait()
        if gate.refuses:
            raise Refused("not this one", reason="refused_by_test")
        gate.answered += 1
        if gate.answered == gate.closes_at:
            gate.close()
        return await super().complete(request)
