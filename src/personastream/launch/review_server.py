"""The page on which people judge records: served to this machine alone, to whoever has the address that was printed.

Law: records are data. They travel as JSON and are put on the page as text; no part of them is ever HTML, a script or
an address. A mark is answered only when it is on the disk.
"""

import asyncio
import secrets
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, cast

import orjson
from aiohttp import web

from personastream.core.review import MARKS, Drawn, Mark
from personastream.errors import CannotCreate, StorageFailed
from personastream.launch.review_files import NOTE_CHARACTERS_MAX, MarksFile, Said

HOST = "127.0.0.1"
BODY_BYTES_MAX = 64 << 10
TOKEN_BYTES = 24

_TYPES = {"page.html": "text/html", "page.css": "text/css", "page.js": "text/javascript"}
_GUARDS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class ReviewServer:
    """Serves a sample to one reviewer. `documents` are its records, None for those that are gone."""

    title: str
    reviewer: str
    drawn: Sequence[Drawn]
    documents: Sequence[Mapping[str, Any] | None]
    marks: MarksFile
    failure: StorageFailed | None = field(init=False, default=None)
    _token: str = field(init=False, default_factory=lambda: secrets.token_urlsafe(TOKEN_BYTES))
    _port: int = field(init=False, default=0)
    _writing: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)

    def serve(self, opened: Callable[[str], None]) -> None:
        """Until SIGINT or SIGTERM comes; `opened` is told the address. Raises `CannotCreate`."""
        asyncio.run(self._serve(opened))

    async def _serve(self, opened: Callable[[str], None]) -> None:
        ended = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
        runner = web.AppRunner(self._app(), access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, 0).start()
            self._port = int(runner.addresses[0][1])
            opened(f"http://{HOST}:{self._port}/{self._token}/")
            await ended.wait()
        except OSError as error:
            raise CannotCreate(f"cannot listen on {HOST}: {error.strerror}") from error
        finally:
            await runner.cleanup()

    def _app(self) -> web.Application:
        @web.middleware
        async def guarded(request: web.Request, handler: Answer) -> web.StreamResponse:
            return await self._guarded(request, handler)

        app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[guarded])
        app.router.add_get(f"/{self._token}/", self._file)
        app.router.add_get(f"/{self._token}/{{name}}.{{kind:css|js}}", self._file)
        app.router.add_get(f"/{self._token}/sample.json", self._sample)
        app.router.add_get(f"/{self._token}/records/{{place:\\d{{1,6}}}}.json", self._record)
        app.router.add_post(f"/{self._token}/marks", self._mark)
        return app

    async def _guarded(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        """Only those are answered that mean this server, and have not been sent by another page."""
        hosts = {f"{HOST}:{self._port}", f"localhost:{self._port}"}
        origin = request.headers.get("Origin")
        if request.headers.get("Host") not in hosts:
            response: web.StreamResponse = web.Response(status=421, text="another host is meant")
        elif origin is not None and origin.removeprefix("http://") not in hosts:
            response = web.Response(status=403, text="another page asks")
        elif request.method == "POST" and (origin is None or request.content_type != "application/json"):
            response = web.Response(status=403, text="not from this page")
        else:
            try:
                response = await answer(request)
            except web.HTTPException as error:
                response = web.Response(status=error.status, text=error.reason)
        response.headers.update(_GUARDS)
        return response

    async def _file(self, request: web.Request) -> web.Response:
        name = "page.{kind}".format(kind=request.match_info.get("kind", "html"))
        if request.match_info.get("name", "page") != "page":
            raise web.HTTPNotFound
        text = files(__package__).joinpath("review_page", name).read_text("utf-8")
        return web.Response(text=text, content_type=_TYPES[name], charset="utf-8")

    async def _sample(self, request: web.Request) -> web.Response:
        said = self.marks.said
        records = [
            {"id": each.id, "stratum": each.stratum, "gone": document is None, **_told(said.get(each.id))}
            for each, document in zip(self.drawn, self.documents, strict=True)
        ]
        return _json({"title": self.title, "reviewer": self.reviewer, "records": records})

    async def _record(self, request: web.Request) -> web.Response:
        place = int(request.match_info["place"])
        if place >= len(self.documents):
            raise web.HTTPNotFound
        return _json({"fields": fields_of(self.documents[place] or {})})

    async def _mark(self, request: web.Request) -> web.Response:
        """`{"id", "mark", "note"}`; a mark of null takes back. Answered when it is on the disk."""
        try:
            told = orjson.loads(await request.read())
            identity, mark, note = told["id"], told["mark"], told["note"]
        except (ValueError, TypeError, KeyError):
            return web.Response(status=400, text="no mark")
        known = any(each.id == identity for each in self.drawn)
        if not known or mark not in (*MARKS, None) or not isinstance(note, str) or len(note) > NOTE_CHARACTERS_MAX:
            return web.Response(status=400, text="no mark")
        said = Said(cast("Mark | None", mark), note.encode("utf-8", "replace").decode())
        async with self._writing:
            try:
                await asyncio.to_thread(self.marks.add, identity, said)
            except StorageFailed as error:
                self.failure = error
                return web.Response(status=507, text=error.message)
        return _json(_told(said))


def fields_of(document: Mapping[str, Any]) -> list[dict[str, str]]:
    """A record to be read: what it was made of, what was made, and the rest in small."""
    texts = [(key, value) for key, value in document.items() if isinstance(value, str) and key not in _SMALL]
    texts.sort(key=lambda each: not each[0].startswith("input "))
    shown = [
        {"name": key, "text": value, "kind": "input" if key.startswith("input ") else "text"} for key, value in texts
    ]
    rest = {key: value for key, value in document.items() if key not in dict(texts)}
    small = orjson.dumps(rest, option=orjson.OPT_INDENT_2).decode()
    return [*shown, {"name": "everything else", "text": small, "kind": "rest"}]


_SMALL = frozenset({"id", "description"})


def _told(said: Said | None) -> dict[str, object]:
    return {"mark": said.mark if said else None, "note": said.note if said else ""}


def _json(document: object) -> web.Response:
    return web.Response(body=orjson.dumps(document), content_type="application/json")
