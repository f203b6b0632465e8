"""`grade`: asks a problem whose answer is known, once, and grades the reply: an evaluation is a run like any other."""

from dataclasses import dataclass, field

from personastream.core.answers import final_answer, reference_answer
from personastream.errors import RowError
from personastream.ports import Ask
from personastream.recipes.equality import Equality, Judge
from personastream.recipes.prompting import Prompted, scalar_values
from personastream.records import Completion, Row
from personastream.sandbox.comparisons import Comparisons
from personastream.settings import setting


@dataclass
class Grade(Prompted):
    """Delivers a model's answer beside the reference, and whether they are the same. `[source] keep` has the latter."""

    template: str = setting(
        "The prompt: `math_eval`, or the path of your own .toml file.",
        default="math_eval",
        path=True,
        identity=False,
    )
    answer: str = setting(
        "Column with the right answer, alone, in a box, or behind ####; `[source] keep` must name it.", default="answer"
    )
    groups: list[str] = setting(
        "Columns by which accuracy is told apart; `[source] keep` must name them.",
        default_factory=lambda: ["subject", "level"],
    )
    judge_template: str = setting(
        "The prompt that asks a model about two answers on which algebra cannot decide: `math_judge`, or the path of "
        "your own .toml file. Without one such an answer is wrong.",
        default="",
        path=True,
        identity=False,
    )
    judge_provider: str = setting("Name of the provider that is to judge; any, if not given.", default="")
    provider: str = setting(
        "Name of the provider that is graded; needed if there is another one that judges.", default=""
    )
    _equality: Equality = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        judge = Judge(self.judge_template, provider=self.judge_provider) if self.judge_template else None
        self._equality = Equality(Comparisons(), judge)

    @property
    def fingerprint(self) -> str:
        """All prompts that may be sent."""
        judge = self._equality.judge
        return f"{super().fingerprint}+{judge.fingerprint}" if judge else super().fingerprint

    @property
    def providers_asked(self) -> set[str]:
        """Names of providers that there must be."""
        return {self.provider, self.judge_provider if self.judge_template else ""} - {""}

    def close(self) -> None:
        """End what compares answers."""
        self._equality.comparisons.close()

    def problem(self, completion: Completion) -> str | None:
        """A reply is graded as it is: one that is cut, empty or refused is wrong, and no reason to ask again."""
        return None

    async def __call__(self, row: Row, ask: Ask) -> list[dict[str, object]]:
        reference = row.origin.get(self.answer)
        if not isinstance(reference, str | int | float) or not str(reference).strip():
            raise RowError(
                f"no answer in column {self.answer!r}: is it among the columns that [source] keep names?",
                reason="no_reference",
            )
        request = self._template.render(row.text)._replace(provider=self.provider)
        completion = await self.reply(row, request, ask)
        right, answer = reference_answer(str(reference)), scalar_values(final_answer(completion.text))
        correct, judgement = await self._equality.same(row, answer, right, ask) if answer else (False, None)
        return [
            {
                f"input {self._template.block}": row.text,
                "synthesized text": scalar_values(completion.text),
                "description": self._template.description,
                "synthetic": True,
                "answer": answer,
                "reference": right,
                "correct": correct,
                "judged": judgement is not None,
                "groups": {column: row.origin[column] for column in self.groups if column in row.origin},
                "meta": self.meta(row, completion) | {"template": self.fingerprint},
            }
        ]
