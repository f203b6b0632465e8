"""The paths of OpenAI's files and batches."""

from collections.abc import Callable, Mapping, Sequence
from time import monotonic, time
from typing import Any
from urllib.parse import parse_qs

from orjson import JSONDecodeError, dumps, loads

from personastream.simulator.api_error import ApiError
from personastream.simulator.batches import Batches
from personastream.simulator.behaviour import Behaviour
from personastream.simulator.chat import error_body
from personastream.simulator.endings import Parcel
from personastream.simulator.files import Files
from personastream.simulator.request_reader import HttpRequest

LISTED, LISTED_MAX = 20, 100
_OCTETS = b"application/octet-stream"


class BatchRoutes:
    """What each path does; errors become replies."""

    def __init__(self, files: Files, batches: Batches, behaviour: Callable[[], Behaviour]) -> None:
        self._files, self._batches, self._behaviour = files, batches, behaviour

    def calls(self) -> Mapping[str, Callable[[HttpRequest, Sequence[str]], Parcel]]:
        """By method and path."""
        return {
            "POST /v1/files": _telling(self._upload),
            "GET /v1/files": lambda _, __: Parcel(200, self._files.listed()),
            "GET /v1/files/*": _telling(lambda _, stars: self._files.get(stars[0]).shown()),
            "DELETE /v1/files/*": _telling(lambda _, stars: self._files.delete(stars[0])),
            "GET /v1/files/*/content": _telling(lambda _, stars: self._files.get(stars[0]).content),
            "POST /v1/batches": _telling(self._create),
            "GET /v1/batches": _telling(self._list),
            "GET /v1/batches/*": _telling(lambda _, stars: self._batches.get(stars[0], monotonic(), time())),
            "POST /v1/batches/*/cancel": _telling(lambda _, stars: self._batches.cancel(stars[0], monotonic(), time())),
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


def page_of(request: HttpRequest, after_name: str) -> tuple[int, str | None]:
    """How many to list, and after which. Raises `ApiError`."""
    query = parse_qs(request.target.partition(b"?")[2].decode("utf-8", "replace"))
    limit = query.get("limit", [str(LISTED)])[-1]
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit) <= LISTED_MAX:
        raise ApiError(400, f"'limit' must be an integer from 1 to {LISTED_MAX}.", param="limit")
    return int(limit), query.get(after_name, [None])[-1]


def _telling(act: Callable[[HttpRequest, Sequence[str]], Any]) -> Callable[[HttpRequest, Sequence[str]], Parcel]:
    """Make a reply of what `act` returns, bytes or a document, or of the `ApiError` it raises."""

    def make(request: HttpRequest, stars: Sequence[str]) -> Parcel:
        try:
            told = act(request, stars)
        except ApiError as error:
            body = error_body(error.message, "invalid_request_error", param=error.param, code=error.code)
            return Parcel(error.status, body)
        return Parcel(200, told, content_type=_OCTETS) if isinstance(told, bytes) else Parcel(200, dumps(told))

    return make
