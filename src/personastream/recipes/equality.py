"""Whether two answers mean the same: by wording and number, then by algebra, then by a model, if one is to be asked."""

from dataclasses import dataclass
from typing import NamedTuple

from personastream.core.answers import has_words, is_prose, plain, quick_verdict
from personastream.errors import RowError
from personastream.ports import Ask
from personastream.recipes.prompting import Prompted
from personastream.records import Completion, Row
from personastream.sandbox.comparisons import Comparisons


class Judgement(NamedTuple):
    """What a model said of two answers, and the reply that was paid for; no reply if it could not be asked."""

    first: str
    second: str
    same: bool
    completion: Completion | None


@dataclass
class Judge(Prompted):
    """Asks a model whether two answers are the same."""

    provider: str = ""

    async def judge(self, row: Row, first: str, second: str, ask: Ask) -> Judgement:
        """No reply, or one that says neither, is a no: what agrees must be beyond doubt."""
        request = self._template.render(f"{_on_one_line(first)}\n{_on_one_line(second)}")
        try:
            completion = await self.reply(row, request._replace(provider=self.provider), ask)
        except RowError:
            return Judgement(first, second, False, None)
        word = completion.text.strip().strip("*\"'. ").casefold()
        return Judgement(first, second, word.startswith("yes"), completion)


@dataclass
class Equality:
    """Decides on pairs of answers, the cheapest way first."""

    comparisons: Comparisons
    judge: Judge | None = None

    async def same(self, row: Row, first: str, second: str, ask: Ask) -> tuple[bool, Judgement | None]:
        """Whether they mean the same, and what a model said of it, if one was asked."""
        verdict: str = quick_verdict(first, second)
        if verdict == "unknown" and not (is_prose(first) or is_prose(second)):
            verdict = await self.comparisons.compare(f"${plain(first)}$", f"${plain(second)}$")
            if verdict == "different" and (has_words(first) or has_words(second)):
                verdict = "unknown"
        if verdict != "unknown" or self.judge is None:
            return verdict == "equal", None
        judgement = await self.judge.judge(row, first, second, ask)
        return judgement.same, judgement


def _on_one_line(answer: str) -> str:
    return " ".join(answer.split())
