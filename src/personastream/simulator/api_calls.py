"""How a call of a kind other than chat becomes a reply, whatever it returns or raises."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qs

from orjson import dumps

from personastream.simulator.api_error import ApiError
from personastream.simulator.chat import Chat
from personastream.simulator.dialect import Dialect
from personastream.simulator.endings import Parcel
from personastream.simulator.request_reader import HttpRequest

Make = Callable[[HttpRequest, Sequence[str]], Parcel]
"""Does what a request asks for. The second argument is what the stars of its pattern stand for."""

LISTED, LISTED_MAX = 20, 100
_OCTETS = b"application/octet-stream"
_CHAT = Chat()


def telling(act: Callable[[HttpRequest, Sequence[str]], Any], dialect: Dialect = _CHAT) -> Make:
    """Make a reply of what `act` returns, bytes or a document, or of the `ApiError` it raises."""

    def make(request: HttpRequest, stars: Sequence[str]) -> Parcel:
        try:
            told = act(request, stars)
        except ApiError as error:
            kind = "invalid_request_error"
            return Parcel(error.status, dialect.error(error.status, error.message, kind, param=error.param))
        return Parcel(200, told, content_type=_OCTETS) if isinstance(told, bytes) else Parcel(200, dumps(told))

    return make


def page_of(request: HttpRequest, after_name: str) -> tuple[int, str | None]:
    """How many to list, and after which. Raises `ApiError`."""
    query = parse_qs(request.target.partition(b"?")[2].decode("utf-8", "replace"))
    limit = query.get("limit", [str(LISTED)])[-1]
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit) <= LISTED_MAX:
        raise ApiError(400, f"'limit' must be an integer from 1 to {LISTED_MAX}.", param="limit")
    return int(limit), query.get(after_name, [None])[-1]
