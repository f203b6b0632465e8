"""Adapters of somebody else, named in configurations as `tests.support.adapters:Thing`."""

import dataclasses
from dataclasses import dataclass, field

from personastream.errors import ConfigError
from personastream.records import Batch, Completion, Request
from personastream.settings import setting


@dataclass
class Shorter:
    """Drops long texts."""

    needed: str = setting("Must be given.")
    characters_max: int = setting("Longest text.", default=100, minimum=1, maximum=1000)
    share: float = setting("Any share.", default=0.5, minimum=0.0, maximum=1.0)
    mode: str = setting("How.", default="gentle", choices=("gentle", "strict"))
    loud: bool = setting("Say so.", default=False, identity=False)
    words: list[str] = setting("Some words.", default_factory=list)
    limit: int | None = setting("May be missing.", default=None, minimum=0)
    _seen: int = field(init=False, default=0)

    def __call__(self, batch: Batch) -> Batch:
        return batch.keep([len(text) <= self.characters_max for text in batch.texts], "long")


@dataclass
class Picky:
    """Refuses its own settings."""

    text: str = setting("Anything.", default="")

    def __post_init__(self) -> None:
        raise ConfigError(f"text = {self.text!r} is not to my taste", hint="Try another.")


@dataclass
class Parrot:
    """A provider without a network: answers with a contract's opening and the end of the request."""

    in_flight_max: int = setting("At once.", default=8, minimum=1, maximum=100, identity=False)
    requests_per_minute: float = setting("Ceiling.", default=0.0, identity=False)
    tokens_per_minute: float = setting("Ceiling.", default=0.0, identity=False)
    model: str = setting("Whose voice.", default="parrot")

    async def complete(self, request: Request) -> Completion:
        return Completion(f"Math problem: {request.user[-60:]}", "stop", self.model, 7, 11, b"{}")

    async def aclose(self) -> None: ...


class Plain:
    """No dataclass."""


PARROT_IN_RED = dataclasses.replace(Parrot(), model="red")
