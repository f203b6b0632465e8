"""The listening socket, which may be closed for a while and opened again at the same port."""

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from time import monotonic

import anyio

from personastream.errors import CannotCreate, ConfigError

BACKLOG = 4096
"""Connections the kernel may hold for us: a client may open thousands at once."""


class Listening:
    """Takes connections at a loopback address; port 0 takes any free one. Open it, then let `keep` run.

    Raises `ConfigError` for a host that is not loopback, `CannotCreate` for a port in use.
    """

    def __init__(self, host: str, port: int, connect: Callable[[], asyncio.Protocol]) -> None:
        address = _loopback(host)
        self._family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
        self._connect = connect
        self._holder = self._bound(str(address), port)  # never listens: it keeps the port while nobody else does
        self._address: tuple[str, int] = self._holder.getsockname()[:2]
        self._server: asyncio.AbstractServer | None = None
        self._closing: asyncio.AbstractServer | None = None
        self._closed_until_s = 0.0
        self._told = anyio.Event()

    @property
    def base_url(self) -> str:
        """Where clients connect, with the path that OpenAI's clients want."""
        host, port = self._address
        return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"

    def pause(self, pause_s: float) -> None:
        """Take no connection for so many seconds from now on; 0 takes them again at once."""
        self._closed_until_s = monotonic() + pause_s
        self._told.set()

    async def open(self) -> None:
        """Begin to listen."""
        listener = self._bound(*self._address)
        try:
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            raise _in_use(*self._address, error) from None
        self._server = await asyncio.get_running_loop().create_server(self._connect, sock=listener, backlog=BACKLOG)

    async def keep(self) -> None:
        """Do what `pause` asks for, until cancelled."""
        while True:
            left_s = self._closed_until_s - monotonic()
            if left_s > 0:
                self._close()
            elif self._server is None:
                await self.open()
            with anyio.move_on_after(left_s if left_s > 0 else None):
                await self._told.wait()
            if self._told.is_set():
                self._told = anyio.Event()

    def close(self) -> None:
        """Listen no more and give the port back. `closed` waits for what asyncio has to do then."""
        self._closing = self._server
        self._close()
        self._holder.close()

    async def closed(self) -> None:
        """Return when connections that were cut after `close` are gone."""
        if self._closing is not None:
            await self._closing.wait_closed()

    def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _bound(self, host: str, port: int) -> socket.socket:
        bound = socket.socket(self._family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, port))
        except OSError as error:
            bound.close()
            raise _in_use(host, port, error) from None
        return bound


def _loopback(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        raise ConfigError(f"{host!r} is no IP address", hint="Use 127.0.0.1, ::1 or localhost.") from None
    if not address.is_loopback:
        hint = "The simulator has no protection: it listens on this machine only, as 127.0.0.1 or ::1."
        raise ConfigError(f"{host} is not a loopback address", hint=hint)
    return address


def _in_use(host: str, port: int, error: OSError) -> CannotCreate:
    message = f"cannot listen on {host} port {port}: {error.strerror or error}"
    return CannotCreate(message, hint="Choose another port, or 0 for any free one.")
