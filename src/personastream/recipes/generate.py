"""`generate`: one template, one persona, one text or several."""

from dataclasses import dataclass

from personastream.ports import Ask
from personastream.recipes.prompting import Prompted, scalar_values
from personastream.records import Completion, Row
from personastream.settings import setting


@dataclass
class Generate(Prompted):
    """Asks a model for `samples` texts per persona, with one template. All must succeed, or the row is dead."""

    samples: int = setting("Texts to ask for per row.", default=1, minimum=1, maximum=100)
    truncated: str = setting(
        "What to do with a reply that was cut at max_tokens: a dead letter, or deliver it (`finish_reason` tells).",
        default="dead",
        choices=("dead", "deliver"),
    )

    async def __call__(self, row: Row, ask: Ask) -> list[dict[str, object]]:
        request, records = self._template.render(row.text), []
        for sample in range(self.samples):
            completion = await self.reply(row, request, ask, sample, seeded=self.samples > 1)
            records.append(self._record(row, completion))
        return records

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
            "meta": self.meta(row, completion),
        }
