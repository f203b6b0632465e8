"""Screen `refusal`: what a model says instead of an answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from personastream.core.quality import judge
from personastream.ports import Ask, Judgement
from personastream.screens.screen_settings import Judging
from personastream.settings import setting

CLEAN, REFUSED = Judgement(), Judgement(("refusal",))
ANY_LENGTH = 1 << 40


@dataclass
class Refusal(Judging):
    """Finds refusals and what a model says of being a model, in the languages that models mostly talk in."""

    on: str = setting(
        "What is judged: rows before they are asked for, records after it (input columns included), or both.",
        default="reply",
        choices=("row", "reply", "both"),
    )

    async def __call__(self, texts: Sequence[str], ask: Ask) -> Sequence[Judgement]:
        return [REFUSED if reason else CLEAN for reason in judge(texts, ("refusal",), 0, ANY_LENGTH)]
