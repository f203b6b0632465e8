"""One client: requests are answered one at a time, in order; the application says what, when, and how it ends.

The application may also cut or drop the connection, which is why this sits on the raw transport. Pipelined requests
wait in a queue; reading stops while the queue is long.
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from time import time
from typing import Protocol, cast

from personastream.simulator.request_reader import HttpRequest, RequestReader

PIPELINED_MAX = 64
LINGER_S = 2.0
"""How long a refused client may go on sending before the connection is cut, so that it can read why."""

JSON = b"application/json"

_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus}
_ABORT = struct.pack("ii", 1, 0)  # linger for 0 s: closing sends a reset


class Application(Protocol):
    """What answers. Each request is answered with `send`, or ends in `drop`, `reset` or `abort`; or never does."""

    def opened(self, connection: "Connection") -> None: ...

    def answer(self, connection: "Connection", request: HttpRequest) -> None: ...

    def closed(self, connection: "Connection") -> None: ...


class Connection(asyncio.Protocol):
    """One client. While a request waits for its answer, `on_lost` is called if the client goes away.

    A connection that `goes_stale` is closed as soon as another request begins, unread: so it looks to a client
    whose pooled connection the server has just given up.
    """

    def __init__(self, application: Application, body_bytes_max: Callable[[bytes], int]) -> None:
        self.on_lost: Callable[[], None] | None = None
        self.goes_stale = False
        self._application = application
        self._reader = RequestReader(body_bytes_max, self._invite_body)
        self._answering: HttpRequest | None = None
        self._may_write = True
        self._reading_paused = False

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = cast(asyncio.Transport, transport)
        self._application.opened(self)

    def data_received(self, data: bytes) -> None:
        if self.goes_stale and self._answering is None:
            self.drop()
            return
        self._reader.feed(data)
        if len(self._reader.ready) > PIPELINED_MAX:
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

    # What the application calls.

    def send(self, status: int, body: bytes, headers: bytes = b"", content_type: bytes = JSON) -> None:
        """Answer the request in whole. `headers` are complete lines."""
        answering = self._answering
        keep_alive = answering is not None and answering.keep_alive
        length = b"content-length: %d\r\n" % len(body)
        head = head_of(status, length + headers, content_type, keep_alive=keep_alive)
        self._transport.write(head if answering and answering.method == b"HEAD" else head + body)
        self._end_exchange()

    def write(self, data: bytes) -> bool:
        """Send bytes as they are; false if the client is gone."""
        if self._transport.is_closing():
            return False
        self._transport.write(data)
        return True

    def drop(self) -> None:
        """Close; what was written before is still sent."""
        self.on_lost = None
        self._reader.stop()
        self._transport.close()

    def reset(self) -> None:
        """Close with a TCP reset."""
        self.on_lost = None
        self._reader.stop()
        raw: socket.socket | None = self._transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        self._transport.abort()

    def abort(self) -> None:
        """Close at once and forget what is unsent; a waiting request is lost now, not later."""
        self._forget_client()
        self._transport.abort()

    # Inside.

    def _invite_body(self) -> None:
        if self._answering is None and not self._reader.ready:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _forget_client(self) -> None:
        self._reader.stop()
        if self.on_lost is not None:
            self.on_lost()
            self.on_lost = None

    def _advance(self) -> None:
        if self._answering is None and self._reader.ready and self._may_write:
            self._answering = self._reader.ready.popleft()
            self._application.answer(self, self._answering)

    def _end_exchange(self) -> None:
        answered, self._answering, self.on_lost = self._answering, None, None
        if answered is None or not answered.keep_alive:
            self._hang_up(lingering=answered is not None and answered.flaw > 0)
        elif self._reader.ready:
            self._loop.call_soon(self._advance)
        elif self._reading_paused:
            self._reading_paused = False
            self._transport.resume_reading()

    def _hang_up(self, *, lingering: bool) -> None:
        self._reader.stop()
        if lingering and self._transport.can_write_eof():
            self._transport.write_eof()
            self._loop.call_later(LINGER_S, self._transport.abort)
        else:
            self._transport.close()


def head_of(status: int, headers: bytes, content_type: bytes = JSON, *, keep_alive: bool = False) -> bytes:
    """Status line and headers, to the empty line. `headers` are complete lines and tell how long the body is."""
    return b"HTTP/1.1 %d %b\r\n%bcontent-type: %b\r\nconnection: %b\r\n%b\r\n" % (
        status,
        _PHRASES.get(status, b"Unknown"),
        _date_line(int(time())),
        content_type,
        b"keep-alive" if keep_alive else b"close",
        headers,
    )


@lru_cache(maxsize=1)
def _date_line(second: int) -> bytes:
    return f"date: {formatdate(second, usegmt=True)}\r\n".encode()
