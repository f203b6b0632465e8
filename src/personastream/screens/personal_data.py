"""Screen `personal_data`: e-mail and internet addresses, telephone, card, account and identity numbers, keys."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from personastream.core.marks import Found, redacted
from personastream.core.personal_data import KINDS, find
from personastream.errors import ConfigError
from personastream.ports import Ask, Judgement
from personastream.screens.presidio import Presidio
from personastream.screens.screen_settings import Judging
from personastream.settings import setting

CLEAN = Judgement()


@dataclass
class PersonalData(Judging):
    """Finds personal data by patterns and checksums in every text, or with Presidio; see docs/screens.md."""

    PLACES = True

    kinds: list[str] = setting(f"Which kinds to look for: {', '.join(KINDS)}.", default_factory=lambda: list(KINDS))
    backend: str = setting(
        "What looks: patterns and checksums, or beside these Presidio, for names and places, which is slow.",
        default="patterns",
        choices=("patterns", "presidio"),
    )
    language: str = setting("Presidio: the language of the texts.", default="en")
    language_model: str = setting("Presidio: the spaCy model, which must be installed.", default="en_core_web_lg")
    score_min: float = setting("Presidio: how sure it must be.", default=0.5, minimum=0.0, maximum=1.0)
    _presidio: Presidio | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown or not self.kinds:
            raise ConfigError(f"kinds = {self.kinds!r} is not a list of kinds", hint=f"Valid: {', '.join(KINDS)}.")
        if self.backend == "presidio":
            self._presidio = Presidio(self.language, self.language_model, self.score_min)

    async def __call__(self, texts: Sequence[str], ask: Ask) -> Sequence[Judgement]:
        found = find(texts, self.kinds)
        if self._presidio is not None:
            found = await self._presidio.added_to(found, texts)
        if not found:
            return [CLEAN] * len(texts)
        return [_judged(text, found.get(place, ())) for place, text in enumerate(texts)]


def _judged(text: str, found: Sequence[Found]) -> Judgement:
    if not found:
        return CLEAN
    return Judgement(tuple(dict.fromkeys(each.kind for each in found)), redacted(text, found))
