"""Who is answered: those who mean this service, do not come from another page, and show the token.

Law: every request passes here first. What goes wrong is answered without a word of how the service is made.
"""

import hmac
import traceback
from collections.abc import Awaitable, Callable, Container

from aiohttp import web

from personastream.errors import PersonaStreamError
from personastream.serve.api.replies import refused, refused_by_server, refused_for
from personastream.serve.happenings import Happenings, Kind

SECRET = "/v1/"
"""What lies below needs the token."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """What browsers are to know of every answer, before its first byte."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


class Guard:
    """`hosts` are the names, with ports, by which the service may be called."""

    def __init__(self, token: str, hosts: Container[str], happenings: Happenings) -> None:
        self._token = token.encode()
        self._hosts = hosts
        self._happenings = happenings

    async def answer(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        """The answer, or why there is none."""
        return self._turned_away(request) or await self._answered(request, answer)

    def _turned_away(self, request: web.Request) -> web.StreamResponse | None:
        where = f"{request.method} {request.path[:200]}"
        if request.headers.get("Host", "") not in self._hosts:
            return refused(421, "another host is meant", where=where, hint="[api] hosts names others that are ours.")
        origin = request.headers.get("Origin")
        if origin is not None and origin.partition("://")[2] not in self._hosts:
            return refused(403, "another page asks", where=where)
        if request.path.startswith(SECRET) and not self._has_token(request.headers.get("Authorization", "")):
            hint = "Authorization: Bearer TOKEN, with what the file `token` in the service's folder holds."
            return refused(401, "the token is missing or wrong", where=where, hint=hint, WWW_Authenticate="Bearer")
        return None

    def _has_token(self, shown: str) -> bool:
        scheme, _, token = shown.partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(
            token.strip().encode("utf-8", "surrogateescape"), self._token
        )

    async def _answered(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        where = f"{request.method} {request.path[:200]}"
        try:
            return await answer(request)
        except web.HTTPException as error:
            return refused_by_server(error, where)
        except PersonaStreamError as error:
            return refused_for(error, where)
        except Exception as error:
            self._happenings.tell(Kind.BUG, traceback="".join(traceback.format_exception(error)), where=where)
            return refused(500, "a bug: the service's log tells more", where=where)
