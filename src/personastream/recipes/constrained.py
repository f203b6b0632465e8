"""`constrained`: instructions whose keeping can be checked, with answers that keep them, or pairs for preferences.

Constraints are drawn for each row (see `core.constraints`); the message that the persona writes holds their sentences
word by word, so that one can be dropped from it again: the answer to what is left is the one to be rejected.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from xxhash import xxh3_128_intdigest

from personastream.core.constraints import COUNT_MAX, Constraint, broken, drawn, found_in, telling
from personastream.ports import Ask
from personastream.recipes.assistant import WithAssistant, answering, chat
from personastream.recipes.prompting import Demand, scalar_values
from personastream.records import Completion, Row
from personastream.settings import setting

_BULLETS = ("", "-", "*", "•")


@dataclass
class Constrained(WithAssistant):
    """Asks for a message with checkable demands on the answer; if wanted, for an answer, too, or for a pair of them."""

    SLOTS = ("constraints",)

    template: str = setting(
        "The prompt: `constrained`, or the path of your own .toml file with the slot `{constraints}`.",
        default="constrained",
        path=True,
        identity=False,
    )
    answers: str = setting(
        "What to ask for besides the message: nothing; an answer that keeps all constraints; or a pair, of which the "
        "rejected one answers the message without one of them, and breaks it.",
        default="none",
        choices=("none", "one", "pair"),
    )
    constraints: int = setting(
        "Constraints a message; 0 for one to three, drawn for each row.", default=0, minimum=0, maximum=COUNT_MAX
    )

    @property
    def requests_per_row(self) -> int:
        """The message, and the answers."""
        return {"none": 1, "one": 2, "pair": 3}[self.answers]

    async def __call__(self, row: Row, ask: Ask) -> list[dict[str, object]]:
        constraints = self._drawn_for(row)
        listed = "\n".join([f"- {one.sentence}" for one in constraints])
        request = self.template_for(row).render(row.text, constraints=listed)
        message = await self.reply(row, request, ask, demand=self._holding(constraints))
        record = self._record(row, constraints, message)
        if self.answers == "none":
            return [record]
        prompt, replies = self.message(message), [message]
        chosen = await self._answer(row, ask, 1, prompt, _keeping(constraints))
        replies.append(chosen)
        if self.answers == "one":
            record["messages"] = chat([prompt, scalar_values(chosen.text.strip())])
        else:
            dropped = telling(constraints)[0]
            rest = _without(prompt, dropped)
            rejected = await self._answer(row, ask, 2, rest, _breaking(dropped))
            replies.append(rejected)
            record |= {
                "prompt": prompt,
                "chosen": scalar_values(chosen.text.strip()),
                "rejected": scalar_values(rejected.text.strip()),
                "dropped constraint": dropped.sentence,
                "relaxed prompt": rest,
            }
        record["meta"] = self._meta(row, constraints, replies)
        return [record]

    def _drawn_for(self, row: Row) -> list[Constraint]:
        """The row's constraints; for a pair, one at least that an answer breaks unless it was told of it."""
        key = f"{self.seed or 0}:{row.shard}:{row.number}:constraints"
        numbers = (xxh3_128_intdigest(f"{key}:{draw}".encode()) for draw in count())
        draws = (drawn(number, self.constraints or None) for number in numbers)
        return next(each for each in draws if self.answers != "pair" or telling(each))

    async def _answer(self, row: Row, ask: Ask, step: int, prompt: str, demand: Demand) -> Completion:
        return await self.reply(row, self.to_assistant((), prompt), ask, step, demand=demand)

    def _holding(self, constraints: Sequence[Constraint]) -> Demand:
        """A message with these constraints, each once, and no others."""
        wanted = sorted(constraints)

        def problem(completion: Completion) -> str | None:
            problem = self.problem(completion)
            return problem or (None if sorted(found_in(completion.text)) == wanted else "contract")

        return Demand(problem, f"{self.demand} and hold each of the demands once, word by word")

    def _record(self, row: Row, constraints: Sequence[Constraint], message: Completion) -> dict[str, object]:
        return {
            f"input {self._template.block}": row.text,
            "synthesized text": scalar_values(message.text),
            "constraints": [one.sentence for one in constraints],
            "description": self._template.description,
            "synthetic": True,
            "meta": self._meta(row, constraints, [message]),
        }

    def _meta(self, row: Row, constraints: Sequence[Constraint], replies: Sequence[Completion]) -> dict[str, object]:
        checks = [one._asdict() for one in constraints]
        return {**self.meta(row, *replies), "constraints": checks, **self.shown_to(row)}


def _keeping(constraints: Sequence[Constraint]) -> Demand:
    return answering(lambda text: not broken(constraints, text), "keep all of the message's constraints")


def _breaking(dropped: Constraint) -> Demand:
    return answering(lambda text: not dropped.kept_by(text), "break the constraint that was dropped")


def _without(prompt: str, dropped: Constraint) -> str:
    """The message with the constraint's sentence taken out, and the gap closed."""
    before, _, after = prompt.partition(dropped.sentence)
    begun, ended = before.rpartition("\n")[2], after.partition("\n")[0]
    if begun.strip() in _BULLETS and not ended.strip():  # it had a line of its own
        return f"{before.removesuffix(begun).rstrip()}\n{after.lstrip()}".strip()
    return f"{before.rstrip(' ')} {after.lstrip(' ')}".strip()
