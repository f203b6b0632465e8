"""Where the service listens, an address of this machine or a Unix socket, and by which names it is called."""

import ipaddress
import os
import socket
from collections.abc import AsyncIterator, Callable, Container, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from personastream.errors import CannotCreate, ConfigError
from personastream.serve.settings import Api

UNIX = "unix:"
SHUTDOWN_S = 2.0
LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")

AppOf = Callable[[Container[str]], web.Application]
"""Makes the application that answers to these names; they are known only when the port is."""


@dataclass(frozen=True, slots=True)
class Place:
    """`path` is that of a Unix socket, else None."""

    host: str = ""
    port: int = 0
    path: Path | None = None


def place_of(settings: Api, root: Path) -> Place:
    """What `[api] listen` says. Raises `ConfigError`."""
    listen = settings.listen
    if listen.startswith(UNIX):
        return Place(path=root / listen.removeprefix(UNIX))
    host, colon, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f"[api] listen = {listen!r} is no address", hint="Such as 127.0.0.1:8765, or unix:socket.")
    if not _is_loopback(host) and not settings.beyond_loopback:
        raise ConfigError(
            f"[api] listen = {listen!r} is reached by other machines",
            hint="The token would travel in clear. If that is meant, set [api] beyond_loopback = true.",
        )
    return Place(host, int(port))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def hosts_of(place: Place, port: int, further: Sequence[str]) -> set[str]:
    """By which names, with their ports, requests may call us. A socket is not found by name: there, by any of ours."""
    if place.path is not None:
        return {"localhost", *further}
    return {f"{name}:{port}" for name in {*LOCAL_NAMES, _named(place.host)}} | set(further)


@asynccontextmanager
async def listening(app_of: AppOf, settings: Api, root: Path) -> AsyncIterator[str]:
    """Serve while this is entered; gives the address. Raises `CannotCreate` or `ConfigError`."""
    place = place_of(settings, root)
    hosts: set[str] = set()
    runner = web.AppRunner(app_of(hosts), access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        try:
            port = await _open(runner, place)
        except OSError as error:
            raise CannotCreate(
                f"cannot listen on {settings.listen}: {error.strerror}", hint="Set [api] listen to a free one."
            ) from error
        hosts |= hosts_of(place, port, settings.hosts)
        yield f"{UNIX}{place.path}" if place.path else f"http://{_named(place.host)}:{port}"
    finally:
        await runner.cleanup()


async def _open(runner: web.AppRunner, place: Place) -> int:
    """The port, 0 for a Unix socket. Raises `OSError`."""
    if place.path is not None:
        await web.SockSite(runner, _unix_socket(place.path)).start()
        return 0
    await web.TCPSite(runner, place.host, place.port).start()
    return int(runner.addresses[0][1])


def _unix_socket(path: Path) -> socket.socket:
    """A socket for our user alone. What a killed service left in its place is taken away: we hold the root's lock."""
    with suppress(FileNotFoundError):
        if path.is_socket():
            path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def _named(host: str) -> str:
    return f"[{host}]" if ":" in host else host
