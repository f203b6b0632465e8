"""HTTP/1.1 requests out of a stream of bytes; what is not HTTP, or too much of it, becomes a flawed request."""

from collections import deque
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import NamedTuple

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpRequestParser

HEAD_BYTES_MAX = 64 * 1024
"""Request line and headers together; common servers allow 8 to 64 KiB."""

WIRE_BYTES_PER_BODY_BYTE_MAX = 8
"""What chunked encoding may cost; chunks of one byte take six."""

HEADERS_KEPT = {b"authorization", b"x-api-key", b"anthropic-version", b"content-type"}
_NO_HEADERS: Mapping[bytes, bytes] = {}


class HttpRequest(NamedTuple):
    """One request. `headers` are those of `HEADERS_KEPT`, names in lower case.

    A `flaw` is the status of a request that could not be read, such as 413; its other fields mean nothing.
    """

    method: bytes = b""
    target: bytes = b""
    headers: Mapping[bytes, bytes] = _NO_HEADERS
    body: bytes = b""
    keep_alive: bool = False
    flaw: int = 0


class RequestReader:
    """Feed it bytes, take whole requests from `ready`. `body_bytes_max` is asked for each target.

    `on_expect` is called when a client waits for leave to send its body.
    """

    def __init__(self, body_bytes_max: Callable[[bytes], int], on_expect: Callable[[], None]) -> None:
        self.ready: deque[HttpRequest] = deque()
        self._parser: HttpRequestParser | None = HttpRequestParser(self)
        self._limit_of = body_bytes_max
        self._on_expect = on_expect
        self._begin_message()

    def feed(self, data: bytes) -> None:
        """Read on; nothing is read after a flaw, a last request, or `stop`."""
        if self._parser is None:
            return
        self._wire_bytes += len(data)
        try:
            self._parser.feed_data(data)
            self._check_sizes()
        except HttpParserUpgrade:
            self._parser = None  # the request itself is answered as usual, then the connection is closed
        except HttpParserCallbackError:
            raise
        except HttpParserError:
            self._refuse(HTTPStatus.BAD_REQUEST)

    def stop(self) -> None:
        """Read nothing more and forget what is ready."""
        self._parser = None
        self.ready.clear()

    # What httptools calls, inside `feed_data`.

    def on_url(self, piece: bytes) -> None:
        self._target += piece

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in HEADERS_KEPT:
            self._headers[name] = value
        elif name == b"expect":
            self._expects_continue = True

    def on_headers_complete(self) -> None:
        self._body_bytes_max = self._limit_of(self._target)
        if self._expects_continue:
            self._on_expect()

    def on_body(self, piece: bytes) -> None:
        self._body += piece

    def on_message_complete(self) -> None:
        parser = self._parser
        if parser is None or len(self._body) > self._body_bytes_max:
            return
        keep_alive = parser.should_keep_alive() and not parser.should_upgrade()
        self.ready.append(HttpRequest(parser.get_method(), self._target, self._headers, bytes(self._body), keep_alive))
        self._begin_message()

    # Inside.

    def _begin_message(self) -> None:
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._expects_continue = False
        self._body = bytearray()
        self._body_bytes_max = 0
        self._wire_bytes = 0

    def _check_sizes(self) -> None:
        if len(self._body) > self._body_bytes_max:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif self._wire_bytes > HEAD_BYTES_MAX + WIRE_BYTES_PER_BODY_BYTE_MAX * len(self._body):
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def _refuse(self, status: HTTPStatus) -> None:
        self._parser = None
        self.ready.append(HttpRequest(flaw=status))
