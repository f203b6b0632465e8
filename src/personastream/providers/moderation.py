"""Provider `moderation`: what OpenAI's moderations endpoint, or one of its shape, says of texts; for screens alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import orjson

from personastream.errors import ConfigError, Refused
from personastream.ports import MODERATION
from personastream.providers.chat_replies import NO_HEADERS
from personastream.providers.faults import fault_inside, text
from personastream.providers.http import HttpService
from personastream.records import Completion, Request
from personastream.settings import setting

NONSENSE = "no_judgement"


@dataclass
class Moderation(HttpService):
    """`POST <base_url>/moderations`. It answers screens that ask it by its name, and no recipe."""

    PATH = "/moderations"
    ANSWERS: ClassVar[str] = MODERATION
    free: ClassVar[bool] = True
    """It may cost nothing though the run has a ceiling on spending."""

    model: str = setting("Model name as the server knows it.", default="omni-moderation-latest")
    name: str = setting("What screens call this provider.", default="moderation", identity=False)
    reserved: bool = setting("Always true: it judges texts and writes none.", default=True, identity=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.reserved or not self.name:
            raise ConfigError("a moderation service answers only who asks it by name", hint="Leave `reserved` out.")

    async def complete(self, request: Request) -> Completion:
        """One attempt for the texts of `history` and `user`; the text is a JSON list of what is said of each, as
        `judgements` gives it. Raises `AttemptError`.
        """
        texts = [*request.history, request.user]
        body = orjson.dumps({"model": self.model, "input": texts})
        return await self.post(body, lambda content, headers: judgements(content, len(texts), headers))


def judgements(body: bytes, texts: int, headers: Mapping[str, str] | None = None) -> Completion:
    """The results in the body of a 200, each `{"flagged": …, "categories": {…}, "scores": {…}}`.

    Raises `Refused` if it says nothing that can be understood of each text, or what an error that came instead means.
    """
    try:
        reply = orjson.loads(body)
        if isinstance(reply, dict) and reply.get("error") and "results" not in reply:
            raise fault_inside(headers or NO_HEADERS, body)
        results = [_result(each) for each in reply["results"]]
        if len(results) != texts:
            raise ValueError("other than one result a text")
        said = orjson.dumps(results).decode()
        return Completion(said, "stop", text(reply.get("model")), 0, 0, body, headers=headers)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        start = body[:80].decode("utf-8", "replace")
        raise Refused(f"a reply with status 200 is no moderation result: {start!r}", reason=NONSENSE) from error


def _result(result: Mapping[str, Any]) -> dict[str, Any]:
    """One result with nothing in it but what it must have. Raises `ValueError` or what comes of another shape."""
    flagged, categories, scores = result["flagged"], result["categories"], result.get("category_scores") or {}
    named = {name: value or False for name, value in categories.items()}  # null: not asked of texts
    if not isinstance(flagged, bool) or not all(isinstance(value, bool) for value in named.values()):
        raise ValueError("neither true nor false")
    if any(isinstance(score, bool) or not 0.0 <= score <= 1.0 for score in scores.values() if score is not None):
        raise ValueError("a score out of bounds")
    return {
        "flagged": flagged,
        "categories": named,
        "scores": {name: score for name, score in scores.items() if score is not None},
    }
