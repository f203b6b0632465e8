"""Screen `refusal`: what a model says instead of an answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from personastream.core.quality import judge
from personastream.ports import Ask, Judgement
from personastream.screens.screen_settings import Judging
from personastream.settings import setting

CLEAN, REFUSED = Judgement(), Judgement(("refusal",))
ANY_LENGTH = 1 << 40
OPENING_MAX = 200
"""So much of a text is looked at for an opening, and behind it for a refusal."""


@dataclass
class Refusal(Judging):
    """Finds refusals and what a model says of being a model, in the languages that models mostly talk in."""

    on: str = setting(
        "What is judged: rows before they are asked for, records after it (input columns included), or both.",
        default="reply",
        choices=("row", "reply", "both"),
    )

    async def __call__(self, texts: Sequence[str], ask: Ask) -> Sequence[Judgement]:
        both = zip(_refused(texts), _refused([_behind_opening(text) for text in texts]), strict=True)
        return [REFUSED if any(each) else CLEAN for each in both]


def _refused(texts: Sequence[str]) -> list[str]:
    return judge(texts, ("refusal",), 0, ANY_LENGTH)


def _behind_opening(text: str) -> str:
    """What stands behind the words that a template makes every reply begin with, such as `Math problem:`."""
    opening, colon, rest = text[:OPENING_MAX].partition(":")
    return rest if colon and "\n" not in opening else ""
