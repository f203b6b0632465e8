"""The paths of models, embeddings and moderations."""

from collections.abc import Mapping, Sequence
from typing import Any

from personastream.simulator.api_calls import Make, telling
from personastream.simulator.api_error import ApiError
from personastream.simulator.chat import model_entry
from personastream.simulator.dialect import InvalidRequest
from personastream.simulator.moderations import moderations_of
from personastream.simulator.request_reader import HttpRequest


class ModelRoutes:
    """What each path does, for the one model there is."""

    def __init__(self, model: str) -> None:
        self._model = model

    def calls(self) -> Mapping[str, Make]:
        """By method and path."""
        return {
            "GET /v1/models": telling(self._list),
            "GET /v1/models/*": telling(self._get),
            "POST /v1/embeddings": telling(self._embed),
            "POST /v1/moderations": telling(self._moderate),
        }

    def _list(self, _: HttpRequest, __: Sequence[str]) -> Any:
        return {"object": "list", "data": [model_entry(self._model)]}

    def _get(self, _: HttpRequest, stars: Sequence[str]) -> Any:
        if stars[0] != self._model:
            raise ApiError(404, f"The model '{stars[0][:100]}' does not exist.", param="model")
        return model_entry(self._model)

    def _embed(self, request: HttpRequest, _: Sequence[str]) -> Any:
        from personastream.simulator.embeddings import embeddings_of  # few need it, and it needs numpy

        try:
            return embeddings_of(request.body)
        except InvalidRequest as flaw:
            raise ApiError(400, flaw.message, param=flaw.param) from None

    def _moderate(self, request: HttpRequest, _: Sequence[str]) -> Any:
        try:
            return moderations_of(request.body)
        except InvalidRequest as flaw:
            raise ApiError(400, flaw.message, param=flaw.param) from None
