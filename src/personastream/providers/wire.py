"""Wire: the same POST over and over, each time with another body, on aiohttp's connections and by its parser.

`ClientSession.post` builds anew for each request what is the same for all of ours: headers, a request, a response, a
timer. That is half of what a row costs altogether (`bench/wire.py`). So the request is written here, whole and in one
go, and what is hard is left to aiohttp: names, TLS, keeping connections, reading what comes back. What is called for
that is no part of its documented interface, so pyproject.toml keeps to releases that `tests/providers` has seen.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

import aiohttp
from aiohttp import hdrs
from aiohttp.client_reqrep import ClientRequest
from yarl import URL

SWITCHING = 101

Read = Callable[[Mapping[str, str], aiohttp.StreamReader], Awaitable[bytes]]
"""Takes the headers of a reply and the stream of its body; returns the body."""


class Reply(NamedTuple):
    """The whole of a reply."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """POSTs to `url` with `headers`, over connections of `connector`, which its owner closes.

    `head` is what each request begins with. Use inside one running event loop. `timeout` is that of connecting.
    """

    def __init__(
        self, connector: aiohttp.BaseConnector, url: URL, headers: Mapping[str, str], timeout: aiohttp.ClientTimeout
    ) -> None:
        self._connector = connector
        self._timeout = timeout
        self._url = url
        self.renew(headers)

    def renew(self, headers: Mapping[str, str]) -> None:
        """Headers of all requests from the next one on."""
        self._request = ClientRequest("POST", self._url, headers=headers, loop=asyncio.get_running_loop())
        self.head = _head(self._request)

    async def post(self, data: bytes, read: Read) -> Reply:
        """One request and its reply, whatever its status. The connection is kept only if all of it was read.

        Raises `aiohttp.ClientError`, `HttpProcessingError`, `OSError`, and what `read` raises.
        """
        try:
            connection = await self._connector.connect(self._request, [], self._timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error
        is_whole = False
        try:
            protocol = connection.protocol
            if protocol is None or protocol.transport is None:
                raise aiohttp.ServerDisconnectedError
            protocol.set_response_params(read_until_eof=True, auto_decompress=False)
            protocol.transport.write(b"%b%d\r\n\r\n%b" % (self.head, len(data), data))
            message, content = await protocol.read()
            while message.code < 200 and message.code != SWITCHING:  # what servers say before they answer
                message, content = await protocol.read()
            body = await read(message.headers, content)
            is_whole = True
        finally:
            if is_whole:
                connection.release()
            else:
                connection.close()
        return Reply(message.code, message.headers, body)


def _head(request: ClientRequest) -> bytes:
    """The request line and all headers, up to the value of the last one: the length of the body."""
    headers = request.headers.copy()
    headers.popall(hdrs.CONTENT_LENGTH, None)
    lines = [f"POST {request.url.raw_path_qs} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if any(not line.isprintable() for line in lines):
        raise ValueError("a header holds a line break or another control character")
    return "\r\n".join((*lines, f"{hdrs.CONTENT_LENGTH}: ")).encode()
