"""`generate`: one template, one persona, one text or several."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from personastream import settings
from personastream.core.template import digest_of
from personastream.errors import ConfigError
from personastream.ports import Ask
from personastream.recipes.demonstrating import Demonstrated
from personastream.recipes.prompting import scalar_values
from personastream.recipes.text_files import read_setting
from personastream.records import Completion, Row


@dataclass
class Generate(Demonstrated):
    """Asks a model for `samples` texts per persona, with one template. All must succeed, or the row is dead."""

    MAY_FILL = ("setting",)

    samples: int = settings.setting("Texts to ask for per row.", default=1, minimum=1, maximum=100)
    truncated: str = settings.setting(
        "What to do with a reply that was cut at max_tokens: a dead letter, or deliver it (`finish_reason` tells).",
        default="dead",
        choices=("dead", "deliver"),
    )
    setting: str = settings.setting(
        "The world of a game, for templates that ask for one: a shipped setting's name, or the path of a text file.",
        default="",
        path=True,
    )
    _setting_digest: str = field(init=False, repr=False, default="")

    def __post_init__(self) -> None:
        super().__post_init__()
        slot = self._template.slots.get("setting")
        if slot is not None:
            text = read_setting(self._setting_name(slot))
            self._setting_digest = digest_of(text)
            self._template = self._template.filled(setting=text)
            self._arrange()
        elif self.setting:
            raise ConfigError(f'template = "{self.template}" has no place for a setting')

    @property
    def materials(self) -> Mapping[str, str]:
        own = {"setting": self._setting_digest} if self._setting_digest else {}
        return {**super().materials, **own}

    async def __call__(self, row: Row, ask: Ask) -> list[dict[str, object]]:
        request, records = self.template_for(row).render(row.text), []
        for sample in range(self.samples):
            completion = await self.reply(row, request, ask, sample, seeded=self.samples > 1)
            records.append(self._record(row, completion))
        return records

    def _setting_name(self, slot: Mapping[str, str]) -> str:
        name = self.setting or slot.get("default", "")
        if not name:
            hint = "A shipped setting's name, or the path of a text file that describes the world."
            raise ConfigError(f'template = "{self.template}" needs a setting', hint=hint)
        return name

    def problem(self, completion: Completion) -> str | None:
        """Why a completion cannot be delivered, if it cannot: a cut one may be wanted."""
        if completion.finish_reason == "length" and self.truncated == "deliver":
            completion = completion._replace(finish_reason="stop")
        return super().problem(completion)

    def _record(self, row: Row, completion: Completion) -> dict[str, object]:
        return {
            f"input {self._template.block}": row.text,
            "synthesized text": scalar_values(self._template.contract.content(completion.text)),
            "description": self._template.description,
            "synthetic": True,
            "meta": {**self.meta(row, completion), **self.shown_to(row)},
        }
