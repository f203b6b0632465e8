"""Moderation results for texts: what is unsafe is told by plain words, so that tests can plant it. Pure."""

import re
from typing import Any

from xxhash import xxh3_64_intdigest

from personastream.simulator.chat import json_object
from personastream.simulator.dialect import InvalidRequest

MODEL = "omni-moderation-latest"
TEXTS_MAX = 2048
CATEGORIES = (
    *("harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm"),
    *("self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic"),
)
_SAYS = re.compile(r"\bunsafe:([a-z/-]+)(?:=(0(?:\.\d+)?|1(?:\.0+)?))?")
"""A text says itself what is to be found in it: `unsafe:violence`, or `unsafe:hate=0.4` with a score."""
SCORE, FLAGGED_FROM, LITTLE_MAX = 0.9, 0.5, 0.01


def moderations_of(body: bytes) -> dict[str, Any]:
    """The answer to a request body. Raises `InvalidRequest`."""
    asked = json_object(body)
    texts = _texts(asked.get("input"))
    model = asked.get("model") or MODEL
    if not isinstance(model, str):
        raise InvalidRequest("'model' must be a text.", "model")
    return {"id": "modr-simulated", "model": model, "results": [_result(text) for text in texts]}


def _result(text: str) -> dict[str, Any]:
    said = {name: float(score) if score else SCORE for name, score in _SAYS.findall(text) if name in CATEGORIES}
    little = LITTLE_MAX * xxh3_64_intdigest(text.encode()) / 2**64  # no two texts are quite alike
    scores = {name: said.get(name, little) for name in CATEGORIES}
    categories = {name: score >= FLAGGED_FROM for name, score in scores.items()}
    return {
        "flagged": any(categories.values()),
        "categories": categories,
        "category_scores": scores,
        "category_applied_input_types": {name: ["text"] for name in CATEGORIES},
    }


def _texts(asked: Any) -> list[str]:
    texts = [asked] if isinstance(asked, str) else asked
    if not isinstance(texts, list) or not 1 <= len(texts) <= TEXTS_MAX or not all(isinstance(t, str) for t in texts):
        raise InvalidRequest(f"'input' must be a text or a list of 1 to {TEXTS_MAX} texts.", "input")
    return texts
