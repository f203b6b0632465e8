"""Screen `named_people`: real individuals, by name, that a persona describes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from personastream.core.people_names import find, marked, may_name
from personastream.ports import Ask, Judgement
from personastream.screens.guard_model import asked
from personastream.screens.judge_prompts import JudgePrompt, load_prompt
from personastream.screens.screen_settings import Asking
from personastream.settings import setting

CLEAN = Judgement()
JUDGED = "judged"


@dataclass
class NamedPeople(Asking):
    """Finds them by how texts introduce people and by well-known names, and can ask a model about other texts."""

    PLACES = True

    on: str = setting(
        "What is judged: rows before they are asked for, records after it (input columns included), or both.",
        default="row",
        choices=("row", "reply", "both"),
    )
    mentioned: bool = setting("Also well-known people who are only admired, read or quoted.", default=False)
    provider: str = setting(
        "Name of a provider whose model is asked about texts that may hold a name; empty: none is.",
        default="",
        identity=False,
    )
    prompt: str = setting(
        "How to ask: a shipped prompt's name, or a .toml file.", default="named_people", path=True, identity=False
    )
    _prompt: JudgePrompt = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._prompt = load_prompt(self.prompt)

    @property
    def providers_asked(self) -> tuple[str, ...]:
        """By name."""
        return (self.provider,) if self.provider else ()

    @property
    def fingerprint(self) -> str:
        """The prompt's content hash, and whether a model is asked, for the manifest."""
        return self._prompt.fingerprint if self.provider else ""

    async def __call__(self, texts: Sequence[str], ask: Ask) -> Sequence[Judgement]:
        found = find(texts, mentioned=self.mentioned)
        return [
            _judged(text, [text[each.start : each.stop] for each in found[place]], found[place][0].kind)
            if place in found
            else await self._of_model(text, ask)
            for place, text in enumerate(texts)
        ]

    async def _of_model(self, text: str, ask: Ask) -> Judgement:
        if not self.provider or not may_name(text):
            return CLEAN
        names = [name for name in await asked(text, self._prompt, self.provider, self.asks_max, ask) if name in text]
        return _judged(text, names, JUDGED) if names else CLEAN


def _judged(text: str, names: Sequence[str], reason: str) -> Judgement:
    return Judgement((reason,), marked(text, names))
