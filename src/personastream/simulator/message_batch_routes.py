"""The paths of Anthropic's message batches."""

from collections.abc import Callable, Mapping, Sequence
from time import monotonic, time
from typing import Any

from personastream.simulator.api_calls import Make, page_of, telling
from personastream.simulator.behaviour import Behaviour
from personastream.simulator.message_batches import MessageBatches
from personastream.simulator.messages import Messages
from personastream.simulator.request_reader import HttpRequest


class MessageBatchRoutes:
    """What each path does. `root` is the address of the API, which results are told with."""

    def __init__(self, batches: MessageBatches, behaviour: Callable[[], Behaviour], root: Callable[[], str]) -> None:
        self._batches, self._behaviour, self._root = batches, behaviour, root

    def calls(self, dialect: Messages) -> Mapping[str, Make]:
        """By method and path."""
        acts = {
            "POST /v1/messages/batches": self._create,
            "GET /v1/messages/batches": self._list,
            "GET /v1/messages/batches/*": self._get,
            "GET /v1/messages/batches/*/results": self._results,
            "POST /v1/messages/batches/*/cancel": self._cancel,
        }
        return {line: telling(act, dialect) for line, act in acts.items()}

    def _create(self, request: HttpRequest, _: Sequence[str]) -> Any:
        now_s = monotonic()
        return self._batches.create(request.body, self._behaviour(), now_s, time()).shown(now_s, self._root())

    def _list(self, request: HttpRequest, _: Sequence[str]) -> Any:
        limit, after = page_of(request, "after_id")
        return self._batches.page(limit, after, monotonic(), self._root())

    def _get(self, _: HttpRequest, stars: Sequence[str]) -> Any:
        now_s = monotonic()
        return self._batches.get(stars[0], now_s).shown(now_s, self._root())

    def _results(self, _: HttpRequest, stars: Sequence[str]) -> Any:
        return self._batches.results(stars[0], monotonic())

    def _cancel(self, _: HttpRequest, stars: Sequence[str]) -> Any:
        now_s = monotonic()
        return self._batches.cancel(stars[0], now_s).shown(now_s, self._root())
