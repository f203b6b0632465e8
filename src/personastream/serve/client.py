"""Speaks to a service: for `ctl`, for `top`, and for programs of one's own.

with Client.of_root(Path("/srv/personastream")) as service:
    service.call("POST", "/v1/jobs/math/pause")
"""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from personastream.errors import BadInput, ConfigError, ExitCode, ProviderDown, RunError, SourceRefused
from personastream.serve.listening import UNIX
from personastream.serve.root import SMALL_BYTES_MAX, Root, read_small, read_token

TIMEOUT_S = 30.0
NOT_THERE = "Is it running? `personastream serve --root DIR` starts it."


class Declined(RunError):
    """The service understood, and does not do it."""

    exit_code = ExitCode.USAGE


class NoSuch(BadInput):
    """The service does not know what was named."""


class Misfit(ConfigError):
    """What was sent does not fit."""


class Unknown(SourceRefused):
    """The service does not believe that we may."""


@dataclass(frozen=True, slots=True)
class Client:
    """`address` is http://HOST:PORT or unix:PATH."""

    address: str
    token: str

    @classmethod
    def of_root(cls, path: Path) -> "Client":
        """The service that serves a folder. Raises `RunError` if none does."""
        root = Root(path)
        try:
            address = read_small(root / "address", SMALL_BYTES_MAX).decode().strip()
        except (OSError, ValueError) as error:
            raise ProviderDown(f"nobody serves {root.path}", hint=NOT_THERE) from error
        return cls(address, read_token(root / "token"))

    def call(self, method: str, path: str, body: object = None) -> Any:
        """What the service answers, JSON or text. Raises `RunError`."""
        return asyncio.run(self.ask(method, path, body))

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        """The same, in an event loop."""
        async with self.session() as session:
            return await self.ask_in(session, method, path, body)

    def session(self) -> aiohttp.ClientSession:
        """For several calls; close it."""
        connector: aiohttp.BaseConnector
        if self.address.startswith(UNIX):
            connector = aiohttp.UnixConnector(self.address.removeprefix(UNIX))
        else:
            connector = aiohttp.TCPConnector()
        headers = {"Authorization": f"Bearer {self.token}"}
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        return aiohttp.ClientSession(self.base, connector=connector, headers=headers, timeout=timeout)

    @property
    def is_local(self) -> bool:
        """Whether it listens on a socket of this machine alone, which has no address for browsers."""
        return self.address.startswith(UNIX)

    @property
    def base(self) -> str:
        """What paths are added to."""
        return "http://localhost" if self.is_local else self.address

    async def ask_in(self, session: aiohttp.ClientSession, method: str, path: str, body: object = None) -> Any:
        """One call. Raises `RunError`."""
        data = None if body is None else _json(body)
        headers = {"Content-Type": "application/json"} if data is not None else None
        try:
            async with session.request(method, path, data=data, headers=headers, allow_redirects=False) as reply:
                content, status, kind = await reply.read(), reply.status, reply.content_type
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise ProviderDown(f"nobody answers at {self.address}", hint=NOT_THERE) from error
        document = orjson.loads(content) if kind == "application/json" else content.decode("utf-8", "replace")
        if status >= 400:
            raise _error(status, document)
        return document


def _json(body: object) -> bytes:
    """Whole numbers of any size, which the service refuses in its own words. Raises `Misfit` for nan and infinity."""
    try:
        return json.dumps(body, allow_nan=False).encode()
    except ValueError as error:
        raise Misfit("nan and infinity are no numbers for a service", hint="Give a finite number.") from error


def _error(status: int, document: Any) -> RunError:
    told = document.get("error", {}) if isinstance(document, dict) else {}
    message, hint = str(told.get("message", f"status {status}")), str(told.get("hint", ""))
    kinds: dict[int, type[RunError]] = {401: Unknown, 403: Unknown, 404: NoSuch, 409: Declined, 422: Misfit}
    return kinds.get(status, ProviderDown if status >= 500 else Misfit)(message, hint=hint)
