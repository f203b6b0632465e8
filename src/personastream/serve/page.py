"""The dashboard: a page and its files, all of them ours, that ask this service alone.

Law: the page is the same for everybody and holds no data. What it shows it asks the API for, with the token, and puts
on itself as text; its policy forbids anything from elsewhere, and any script or style within data.
"""

from functools import partial
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

from aiohttp import web

TYPES = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "LICENSE": "text/plain",
}
GUARDS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def page_routes(service: object) -> list[web.RouteDef]:
    """What answers `/` and each of the page's files. They are read once: nothing of an address is ever a path."""
    folder = files(__package__).joinpath("dashboard")
    assets = [*folder.iterdir(), *folder.joinpath("uplot").iterdir()]
    index = next(file for file in assets if file.name == "index.html")
    others = [file for file in assets if file.is_file() and file is not index]
    return [
        web.get("/", partial(_answer, _File(index))),
        *(web.get(f"/assets/{file.name}", partial(_answer, _File(file))) for file in others),
    ]


class _File:
    """One file of the page, in memory."""

    def __init__(self, file: Traversable) -> None:
        self.body = file.read_bytes()
        self.type = TYPES[file.name.rpartition(".")[2]]
        self.tag = sha256(self.body).hexdigest()[:32]


async def _answer(file: _File, request: web.Request) -> web.Response:
    headers = {**GUARDS, "ETag": f'"{file.tag}"'}
    if any(tag.value == file.tag for tag in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return web.Response(body=file.body, content_type=file.type, charset="utf-8", headers=headers)
