"""Adapters of somebody else, named in configurations as `tests.support.adapters:Thing`."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

from personastream.errors import ConfigError, RowError
from personastream.ports import Ask, Judgement
from personastream.records import Batch, Completion, Request
from personastream.screens.screen_settings import Judging
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


@dataclass
class Forbidden(Judging):
    """A screen that finds `word`, and asks nobody unless `asks` names a provider."""

    PLACES = True

    word: str = setting("What is not to stand anywhere.", default="")
    asks: str = setting("A provider to ask whether the word is there.", default="")
    unavailable: str = setting("If it does not answer.", default="closed", choices=("closed", "open"))
    patience_s: float = setting("How long to wait.", default=5.0, identity=False)
    judged: list[str] = field(init=False, default_factory=list)

    @property
    def providers_asked(self) -> tuple[str, ...]:
        return (self.asks,) if self.asks else ()

    async def __call__(self, texts: Sequence[str], ask: Ask) -> list[Judgement]:
        self.judged += texts
        if self.asks:
            reply = await ask(Request("", "\n".join(texts), {}, self.asks))
            if reply.text == "nonsense":
                raise RowError("nonsense", reason="nonsense", response=b"nonsense")
        return [
            Judgement(("found",), text.replace(self.word, "[word]")) if self.word in text else Judgement()
            for text in texts
        ]


class Plain:
    """No dataclass."""


PARROT_IN_RED = dataclasses.replace(Parrot(), model="red")
