"""What recipes share in which an assistant answers: its settings, its requests, and what its answers are held to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from personastream.core.contract import Contract
from personastream.core.inert import inert_tokens
from personastream.recipes.demonstrating import Demonstrated
from personastream.recipes.prompting import Demand, scalar_values
from personastream.records import Completion, Request
from personastream.settings import setting

_TEMPERATURE = 0.7
_ANY = Contract()


@dataclass
class WithAssistant(Demonstrated):
    """A recipe in which the same model answers messages, as an assistant would."""

    system: str = setting("The assistant's system text; empty for none.", default="")
    answer_tokens: int = setting(
        "Longest answer of the assistant, in tokens.", default=1024, minimum=1, maximum=131_072
    )

    def to_assistant(self, history: Sequence[str], message: str) -> Request:
        """A request as the assistant gets it: the turns so far, and the message to be answered."""
        given = {"temperature": self.temperature, "seed": self.seed}
        overrides = {key: value for key, value in given.items() if value is not None}
        parameters = {"temperature": _TEMPERATURE, "max_tokens": self.answer_tokens, **overrides}
        return Request(self.system, inert_tokens(message), parameters, history=tuple(map(inert_tokens, history)))

    def message(self, completion: Completion) -> str:
        """The user's message in a reply that starts with the template's opening."""
        return scalar_values(self._template.contract.behind_opening(completion.text))


def answering(keeps: Callable[[str], bool] = bool, words: str = "answer") -> Demand:
    """What an answer of the assistant is held to: whole, not empty, and whatever else it must keep."""

    def problem(completion: Completion) -> str | None:
        problem = _ANY.problem(completion.text, completion.finish_reason)
        return problem or (None if keeps(completion.text) else "contract")

    return Demand(problem, words)


def chat(turns: Sequence[str]) -> list[dict[str, str]]:
    """Turns of a user and an assistant as chat messages."""
    return [{"role": ("user", "assistant")[place % 2], "content": turn} for place, turn in enumerate(turns)]
