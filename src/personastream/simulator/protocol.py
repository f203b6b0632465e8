"""HTTP/1.1 on one connection: bytes to requests, answers to bytes, one request at a time, in order.

The application decides what is answered and when; it may also cut or drop the connection, which is why this sits
on the raw transport. Pipelined requests wait in a queue; reading stops while the queue is long.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from time import time
from typing import NamedTuple, Protocol, cast

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpRequestParser

HEAD_BYTES_MAX = 64 * 1024
"""Request line and headers together; common servers allow 8 to 64 KiB."""

WIRE_BYTES_PER_BODY_BYTE_MAX = 8
"""What chunked encoding may cost; chunks of one byte take six."""

PIPELINED_MAX = 64
LINGER_S = 2.0
"""How long a refused client may go on sending before the connection is cut, so that it can read why."""

_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus}


class HttpRequest(NamedTuple):
    """One request. A `flaw` is the status of one that could not be read, such as 413; its other fields mean nothing."""

    method: bytes = b""
    target: bytes = b""
    authorization: bytes = b""
    body: bytes = b""
    keep_alive: bool = False
    flaw: int = 0


class Application(Protocol):
    """What answers. For each request exactly one of `send`, `cut`, `drop` is called, now or later, or none ever."""

    def opened(self, connection: "Connection") -> None: ...

    def answer(self, connection: "Connection", request: HttpRequest) -> None: ...

    def closed(self, connection: "Connection") -> None: ...


class Connection(asyncio.Protocol):
    """One client. While a request waits for its answer, `on_lost` is called if the client goes away."""

    def __init__(self, application: Application, body_bytes_max: int) -> None:
        self.on_lost: Callable[[], None] | None = None
        self._application = application
        self._body_bytes_max = body_bytes_max
        self._parser: HttpRequestParser | None = HttpRequestParser(self)
        self._ready: deque[HttpRequest] = deque()
        self._answering: HttpRequest | None = None
        self._may_write = True
        self._reading_paused = False
        self._begin_message()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = cast(asyncio.Transport, transport)
        self._application.opened(self)

    def data_received(self, data: bytes) -> None:
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
        if len(self._ready) > PIPELINED_MAX:
            self._reading_paused = True
            self._transport.pause_reading()
        self._advance()

    def pause_writing(self) -> None:
        self._may_write = False

    def resume_writing(self) -> None:
        self._may_write = True
        self._advance()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_client()
        self._application.closed(self)

    # What httptools calls, inside `feed_data`.

    def on_url(self, piece: bytes) -> None:
        self._target += piece

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(name) == 13 and name.lower() == b"authorization":
            self._authorization = value
        elif len(name) == 6 and name.lower() == b"expect":
            self._expects_continue = True

    def on_headers_complete(self) -> None:
        if self._expects_continue and self._answering is None and not self._ready:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, piece: bytes) -> None:
        self._body += piece

    def on_message_complete(self) -> None:
        parser = self._parser
        if parser is None or len(self._body) > self._body_bytes_max:
            return
        keep_alive = parser.should_keep_alive() and not parser.should_upgrade()
        method, body = parser.get_method(), bytes(self._body)
        self._ready.append(HttpRequest(method, self._target, self._authorization, body, keep_alive))
        self._begin_message()

    # What the application calls.

    def send(self, status: int, body: bytes, headers: bytes = b"") -> None:
        """Answer the request in whole. `headers` are complete lines."""
        head = self._head(status, len(body), headers)
        answering = self._answering
        self._transport.write(head if answering and answering.method == b"HEAD" else head + body)
        self._end_exchange()

    def cut(self, status: int, body: bytes, headers: bytes = b"") -> None:
        """Send half of the body, then close."""
        self._transport.write(self._head(status, len(body), headers) + body[: len(body) // 2])
        self.drop()

    def drop(self) -> None:
        """Close without an answer."""
        self.on_lost = None
        self._stop_reading()
        self._transport.close()

    def abort(self) -> None:
        """Close at once and forget what is unsent; a waiting request is lost now, not later."""
        self._forget_client()
        self._transport.abort()

    # Inside.

    def _begin_message(self) -> None:
        self._target = self._authorization = b""
        self._expects_continue = False
        self._body = bytearray()
        self._wire_bytes = 0

    def _check_sizes(self) -> None:
        if len(self._body) > self._body_bytes_max:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif self._wire_bytes > HEAD_BYTES_MAX + WIRE_BYTES_PER_BODY_BYTE_MAX * len(self._body):
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def _refuse(self, status: HTTPStatus) -> None:
        self._parser = None
        self._ready.append(HttpRequest(flaw=status))

    def _forget_client(self) -> None:
        self._stop_reading()
        if self.on_lost is not None:
            self.on_lost()
            self.on_lost = None

    def _stop_reading(self) -> None:
        self._parser = None
        self._ready.clear()

    def _advance(self) -> None:
        if self._answering is None and self._ready and self._may_write:
            self._answering = self._ready.popleft()
            self._application.answer(self, self._answering)

    def _end_exchange(self) -> None:
        answered, self._answering, self.on_lost = self._answering, None, None
        if answered is None or not answered.keep_alive:
            self._hang_up(lingering=answered is not None and answered.flaw > 0)
        elif self._ready:
            self._loop.call_soon(self._advance)
        elif self._reading_paused:
            self._reading_paused = False
            self._transport.resume_reading()

    def _hang_up(self, *, lingering: bool) -> None:
        self._stop_reading()
        if lingering and self._transport.can_write_eof():
            self._transport.write_eof()
            self._loop.call_later(LINGER_S, self._transport.abort)
        else:
            self._transport.close()

    def _head(self, status: int, length: int, headers: bytes) -> bytes:
        keep_alive = self._answering is not None and self._answering.keep_alive
        return (
            b"HTTP/1.1 %d %b\r\n%bcontent-type: application/json\r\nconnection: %b\r\ncontent-length: %d\r\n%b\r\n"
            % (
                status,
                _PHRASES[status],
                _date_line(int(time())),
                b"keep-alive" if keep_alive else b"close",
                length,
                headers,
            )
        )


@lru_cache(maxsize=1)
def _date_line(second: int) -> bytes:
    return f"date: {formatdate(second, usegmt=True)}\r\n".encode()
