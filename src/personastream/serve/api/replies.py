"""How the API answers: JSON, and errors that say what to do."""

from typing import Any

import orjson
from aiohttp import web

from personastream.errors import ConfigError, PersonaStreamError, StorageFailed
from personastream.serve.api.bodies import Malformed, NotJson
from personastream.serve.refusals import Conflicting, NotThere, Unfit

STATUS = {
    NotThere: 404,
    Conflicting: 409,
    Malformed: 400,
    NotJson: 415,
    Unfit: 422,
    ConfigError: 422,
    StorageFailed: 507,
}
WORDS = {
    400: "the request is malformed",
    404: "there is nothing here",
    405: "that cannot be done here",
    413: "the body is too large",
    415: "the body must be application/json",
}


def json(document: Any, status: int = 200) -> web.Response:
    """A document, or a dataclass."""
    return web.Response(body=orjson.dumps(document), status=status, content_type="application/json")


def refused(status: int, message: str, *, hint: str = "", where: str = "", **headers: str) -> web.Response:
    """Why not."""
    response = json({"error": {"message": message, "hint": hint, "where": where}}, status)
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return response


def refused_for(error: PersonaStreamError, where: str) -> web.Response:
    """By the type of an error."""
    status = next((status for kind, status in STATUS.items() if isinstance(error, kind)), 409)
    return refused(status, error.message, hint=error.hint, where=where)


def refused_by_server(error: web.HTTPException, where: str) -> web.Response:
    """What the web server itself refuses, in our words."""
    response = refused(error.status, WORDS.get(error.status, error.reason), where=where)
    if "Allow" in error.headers:
        response.headers["Allow"] = error.headers["Allow"]
    return response
