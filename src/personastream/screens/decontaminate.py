"""Screen `decontaminate`: texts that hold one of a test set, or of protected texts."""

from collections.abc import Sequence
from dataclasses import dataclass

from personastream.ports import Ask, Judgement
from personastream.screens.screen_settings import Judging
from personastream.settings import setting
from personastream.test_sets import Against

CLEAN, CONTAMINATED = Judgement(), Judgement(("contaminated",))


@dataclass
class Decontaminate(Judging, Against):
    """Finds texts that hold one of a test set, apart from case, punctuation, spacing and markup."""

    on: str = setting(
        "What is judged: rows before they are asked for, records after it (input columns included), or both.",
        default="reply",
        choices=("row", "reply", "both"),
    )

    @property
    def name(self) -> str:
        """Drops are counted under the reason of the transform."""
        return "contaminated"

    async def __call__(self, texts: Sequence[str], ask: Ask) -> Sequence[Judgement]:
        return [CLEAN if item < 0 else CONTAMINATED for item in self.index.find(texts).tolist()]
