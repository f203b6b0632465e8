"""The paths of OpenAI's files and batches."""

from collections.abc import Callable, Mapping, Sequence
from time import monotonic, time
from typing import Any

from orjson import JSONDecodeError, loads

from personastream.simulator.api_calls import Make, page_of, telling
from personastream.simulator.api_error import ApiError
from personastream.simulator.batches import Batches
from personastream.simulator.behaviour import Behaviour
from personastream.simulator.endings import Parcel
from personastream.simulator.files import Files
from personastream.simulator.request_reader import HttpRequest


class BatchRoutes:
    """What each path does; errors become replies."""

    def __init__(self, files: Files, batches: Batches, behaviour: Callable[[], Behaviour]) -> None:
        self._files, self._batches, self._behaviour = files, batches, behaviour

    def calls(self) -> Mapping[str, Make]:
        """By method and path."""
        return {
            "POST /v1/files": telling(self._upload),
            "GET /v1/files": lambda _, __: Parcel(200, self._files.listed()),
            "GET /v1/files/*": telling(lambda _, stars: self._files.get(stars[0]).shown()),
            "DELETE /v1/files/*": telling(lambda _, stars: self._files.delete(stars[0])),
            "GET /v1/files/*/content": telling(lambda _, stars: self._files.get(stars[0]).content),
            "POST /v1/batches": telling(self._create),
            "GET /v1/batches": telling(self._list),
            "GET /v1/batches/*": telling(lambda _, stars: self._batches.get(stars[0], monotonic(), time())),
            "POST /v1/batches/*/cancel": telling(lambda _, stars: self._batches.cancel(stars[0], monotonic(), time())),
        }

    def _upload(self, request: HttpRequest, _: Sequence[str]) -> Any:
        content_type = request.headers.get(b"content-type", b"")
        bytes_max = self._behaviour().batch_bytes_max
        return self._files.upload(content_type, request.body, bytes_max=bytes_max, wall_s=time()).shown()

    def _create(self, request: HttpRequest, _: Sequence[str]) -> Any:
        try:
            asked = loads(request.body)
        except JSONDecodeError as error:
            raise ApiError(400, f"The body is not valid JSON: {error}") from None
        return self._batches.create(asked, self._behaviour(), monotonic(), time())

    def _list(self, request: HttpRequest, _: Sequence[str]) -> Any:
        limit, after = page_of(request, "after")
        return self._batches.page(limit, after, monotonic(), time())
