"""Screen `moderation`: unsafe content, as a moderation endpoint of OpenAI's shape sees it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import orjson

from personastream.errors import ConfigError, RowError
from personastream.ports import MODERATION, Ask, Judgement
from personastream.records import Request
from personastream.screens.screen_settings import Asking
from personastream.settings import setting

CATEGORIES = (
    *("sexual/minors", "self-harm/instructions", "self-harm/intent", "illicit/violent", "hate/threatening"),
    *("harassment/threatening", "violence/graphic", "sexual", "self-harm", "illicit", "hate", "harassment", "violence"),
)
"""The gravest first. Others that an endpoint may have count as `other`."""
OTHER = "other"
SHOWN = 80


@dataclass
class Moderation(Asking):
    """Asks a provider of type `moderation` about all texts of a row or of its records, in one request."""

    ASKS: ClassVar[str] = MODERATION

    provider: str = setting("Name of the provider to ask.", default="moderation", identity=False)
    thresholds: dict[str, float] = setting(
        "Score from which a category counts, by category; without one, the endpoint's own judgement counts.",
        default_factory=dict,
    )
    texts_max: int = setting(
        "Texts in one request; more are asked in several.", default=32, minimum=1, maximum=2048, identity=False
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for category, score in self.thresholds.items():
            if category not in CATEGORIES or not 0.0 <= score <= 1.0:
                hint = f"Scores from 0 to 1 for {', '.join(sorted(CATEGORIES))}."
                raise ConfigError(f"thresholds has {category!r} = {score!r}", hint=hint)

    @property
    def providers_asked(self) -> tuple[str, ...]:
        """By name."""
        return (self.provider,)

    async def __call__(self, texts: Sequence[str], ask: Ask) -> Sequence[Judgement]:
        judged: list[Judgement] = []
        for at in range(0, len(texts), self.texts_max):
            *others, last = texts[at : at + self.texts_max]
            said = await self._asked(Request("", last, {}, self.provider, tuple(others)), ask)
            judged += [Judgement(tuple(dict.fromkeys(self._reasons(result)))) for result in said]
        return judged

    async def _asked(self, request: Request, ask: Ask) -> list[dict[str, Any]]:
        """What is said of each text. Raises `RowError` if that is nonsense every time."""
        for left in reversed(range(self.asks_max)):
            try:
                return _read((await ask(request)).text, len(request.history) + 1)
            except RowError:
                if not left:
                    raise
        raise AssertionError("asked at least once")

    def _reasons(self, result: Mapping[str, Any]) -> Iterator[str]:
        """Why a text must not pass, the gravest reason first."""
        counts, scores = result["categories"], result["scores"]
        for category in CATEGORIES:
            threshold = self.thresholds.get(category)
            score = scores.get(category)
            if counts.get(category, False) if threshold is None or score is None else score >= threshold:
                yield category.replace("/", "_").replace("-", "_")
        known = any(counts.get(category, False) for category in CATEGORIES)
        if any(value for name, value in counts.items() if name not in CATEGORIES) or (result["flagged"] and not known):
            yield OTHER


def _read(said: str, texts: int) -> list[dict[str, Any]]:
    """What is said of each text, in order. Raises `RowError` for anything else: no judgement clears a text."""
    try:
        results = orjson.loads(said)
        if isinstance(results, list) and len(results) == texts and all(map(_is_result, results)):
            return results
    except ValueError:
        pass
    raise RowError(f"no moderation result: {said[:SHOWN]!r}", reason="no_judgement")


def _is_result(result: object) -> bool:
    if not isinstance(result, dict) or not isinstance(result.get("flagged"), bool):
        return False
    categories, scores = result.get("categories"), result.get("scores")
    return (
        isinstance(categories, dict)
        and isinstance(scores, dict)
        and all(isinstance(score, int | float) for score in scores.values())
    )
