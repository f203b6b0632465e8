"""Screen `injection`: instructions to a model, control tokens, templates, markup, escapes and paths in texts."""

from collections.abc import Sequence
from dataclasses import dataclass

from personastream.core.injection import KINDS, find
from personastream.core.marks import redacted
from personastream.errors import ConfigError
from personastream.ports import Ask, Judgement
from personastream.screens.screen_settings import Judging
from personastream.settings import setting

CLEAN = Judgement()


@dataclass
class Injection(Judging):
    """Finds attempts to turn data into orders. Replies with code or markup in them need fewer `kinds`."""

    PLACES = True

    on: str = setting(
        "What is judged: rows before they are asked for, records after it (input columns included), or both.",
        default="row",
        choices=("row", "reply", "both"),
    )
    kinds: list[str] = setting(f"Which kinds to look for: {', '.join(KINDS)}.", default_factory=lambda: list(KINDS))

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown or not self.kinds:
            raise ConfigError(f"kinds = {self.kinds!r} is not a list of kinds", hint=f"Valid: {', '.join(KINDS)}.")

    async def __call__(self, texts: Sequence[str], ask: Ask) -> Sequence[Judgement]:
        found = find(texts, self.kinds)
        judged = [CLEAN] * len(texts)
        for place, here in found.items():
            judged[place] = Judgement(tuple(dict.fromkeys(each.kind for each in here)), redacted(texts[place], here))
        return judged
