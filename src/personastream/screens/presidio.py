"""Presidio as a second pair of eyes: it finds what has no form, such as names and places. Optional, and slow.

Its language model must be installed: Presidio would download it, and nothing here ever contacts anybody unasked.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import anyio.to_thread

from personastream.core.marks import Found, apart
from personastream.errors import ConfigError

ENTITIES: Mapping[str, str] = {"PERSON": "person", "LOCATION": "location"}
"""What it is asked for, and what that is called here: all else has a form, and is found without it."""


class Presidio:
    """Analyses texts in a thread. Raises `ConfigError` if the package or the model is missing."""

    def __init__(self, language: str, model: str, score_min: float) -> None:
        self._language = language
        self._score_min = score_min
        self._engine = _engine(language, model)

    async def added_to(self, found: Mapping[int, list[Found]], texts: Sequence[str]) -> dict[int, list[Found]]:
        """What was found, and what Presidio finds beside it."""
        more = await anyio.to_thread.run_sync(lambda: [self._in(text) for text in texts])
        merged = {}
        for place, own in enumerate(more):
            if here := apart([*found.get(place, ()), *own]):
                merged[place] = here
        return merged

    def _in(self, text: str) -> list[Found]:
        results = self._engine.analyze(
            text, language=self._language, entities=[*ENTITIES], score_threshold=self._score_min
        )
        return [
            Found(ENTITIES[each.entity_type], each.start, each.end)
            for each in sorted(results, key=lambda each: -each.score)
        ]


def _engine(language: str, model: str) -> Any:
    try:
        from presidio_analyzer import AnalyzerEngine
        from presidio_analyzer.nlp_engine import NlpEngineProvider
        from spacy.util import is_package
    except ImportError as error:
        raise ConfigError(
            'backend = "presidio" needs a package that is not installed',
            hint="pip install 'personastream[presidio]'",
        ) from error
    if not is_package(model):
        raise ConfigError(
            f"language_model = {model!r} is not installed", hint=f"Install it first: python -m spacy download {model}"
        )
    named = [{"lang_code": language, "model_name": model}]
    provider = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": named})
    return AnalyzerEngine(nlp_engine=provider.create_engine(), supported_languages=[language])
