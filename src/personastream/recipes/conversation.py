"""`conversation`: the persona asks an assistant, the assistant answers, the persona goes on; several turns of both."""

from dataclasses import dataclass, field

from personastream.core.template import Template
from personastream.ports import Ask
from personastream.recipes.assistant import WithAssistant, answering, chat
from personastream.recipes.prompting import Demand, scalar_values
from personastream.recipes.template_files import load_template
from personastream.records import Completion, Row
from personastream.settings import setting


@dataclass
class Conversation(WithAssistant):
    """Asks twice for each turn: what the person says, by a template, and what an assistant answers, as in a chat.

    The record has the chat as `messages`. All requests must succeed, or the row is dead.
    """

    template: str = setting(
        "The prompt for the first message: `instruction`, or the path of your own .toml file.",
        default="instruction",
        path=True,
        identity=False,
    )
    continuation: str = setting(
        "The prompt for further messages: a name or a path. Its slot `{conversation}` is what was said so far.",
        default="continuation",
        path=True,
        identity=False,
    )
    turns: int = setting("Messages of the person, each with its answer.", default=3, minimum=1, maximum=20)
    _continuation: Template = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._continuation = load_template(self.continuation, ("conversation",))

    @property
    def requests_per_row(self) -> int:
        """Two for each turn."""
        return 2 * self.turns

    @property
    def fingerprint(self) -> str:
        return f"{super().fingerprint}+{self._continuation.fingerprint}"

    async def __call__(self, row: Row, ask: Ask) -> list[dict[str, object]]:
        first = await self.reply(row, self.template_for(row).render(row.text), ask)
        said, replies = [self.message(first)], [first]
        for turn in range(self.turns):
            if turn:
                reply = await self._goes_on(row, ask, turn, said)
                said.append(scalar_values(self._continuation.contract.behind_opening(reply.text)))
                replies.append(reply)
            request = self.to_assistant(said[:-1], said[-1])
            reply = await self.reply(row, request, ask, 2 * turn + 1, demand=answering())
            said.append(scalar_values(reply.text.strip()))
            replies.append(reply)
        return [
            {
                f"input {self._template.block}": row.text,
                "synthesized text": scalar_values(first.text),
                "messages": chat(said),
                "description": "conversation",
                "synthetic": True,
                "meta": {
                    **self.meta(row, *replies),
                    "template": self.fingerprint,
                    "turns": self.turns,
                    **self.shown_to(row),
                },
            }
        ]

    async def _goes_on(self, row: Row, ask: Ask, turn: int, said: list[str]) -> Completion:
        """What the person says next."""
        conversation = "\n\n".join([f"[{one['role']}]\n{one['content']}" for one in chat(said)])
        request = self._continuation.render(row.text, conversation=conversation)
        contract = self._continuation.contract
        demand = Demand(lambda reply: contract.problem(reply.text, reply.finish_reason), contract.demand)
        return await self.reply(row, request, ask, 2 * turn, demand=demand)
