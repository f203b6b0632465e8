"""What requests may say: dataclasses whose fields are checked like settings, and described by the OpenAPI document."""

import dataclasses
import typing
from pathlib import Path
from typing import Any, TypeVar

import orjson
from aiohttp import web

from personastream.build import construct
from personastream.config import CONFIG_BYTES_MAX, Section
from personastream.core.ceilings import IN_FLIGHT_MAX, PER_MINUTE_MAX
from personastream.errors import ConfigError
from personastream.job import PRIORITY_MAX, PRIORITY_MIN, WEIGHT_MAX, WEIGHT_MIN
from personastream.serve.refusals import Refusal
from personastream.settings import setting

BODY_BYTES_MAX = CONFIG_BYTES_MAX
PAGE_MAX = 200
PAGE = 50
REASONS_MAX = 100

Body = TypeVar("Body")


class Malformed(Refusal):
    """It is no JSON object at all."""


class NotJson(Refusal):
    """It says that it is something else."""


@dataclasses.dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be submitted."""

    name: str = setting("What it will be called: up to 64 of a-z, 0-9, dot, dash and underscore.")
    config: str = setting("The configuration, as TOML; [sink] path may be left out.")
    base: str = setting("Absolute folder that its relative paths are taken from; else the service's own.", default="")
    priority: int | None = setting(
        "A job of a higher priority goes first; else what [job] says.",
        default=None,
        minimum=PRIORITY_MIN,
        maximum=PRIORITY_MAX,
    )
    weight: float | None = setting(
        "Share among jobs of the same priority; else what [job] says.",
        default=None,
        minimum=WEIGHT_MIN,
        maximum=WEIGHT_MAX,
    )
    paused: bool = setting("Whether it waits to be resumed.", default=False)


@dataclasses.dataclass(frozen=True, slots=True)
class JobChange:
    """What of a job may be changed live."""

    priority: int | None = setting(
        "A job of a higher priority goes first.", default=None, minimum=PRIORITY_MIN, maximum=PRIORITY_MAX
    )
    weight: float | None = setting(
        "Share among jobs of the same priority.", default=None, minimum=WEIGHT_MIN, maximum=WEIGHT_MAX
    )
    spend_max: float | None = setting(
        "Ceiling on what the job may cost, in place of [limits] spend_max; 0: none. A new sitting begins with it.",
        default=None,
        minimum=0,
        maximum=1e9,
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Retry:
    """Which dead rows are asked again."""

    reasons: list[str] = setting("Those that died for one of these; none: all of them.", default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Nothing:
    """No further words."""


@dataclasses.dataclass(frozen=True, slots=True)
class EndpointChange:
    """Ceilings of a shared endpoint; they take effect within a second. 0: no limit."""

    in_flight_max: int | None = setting("Most requests at once.", default=None, minimum=1, maximum=IN_FLIGHT_MAX)
    requests_per_minute: float | None = setting(
        "Most requests a minute.", default=None, minimum=0, maximum=PER_MINUTE_MAX
    )
    tokens_per_minute: float | None = setting("Most tokens a minute.", default=None, minimum=0, maximum=PER_MINUTE_MAX)
    input_tokens_per_minute: float | None = setting(
        "Most input tokens a minute.", default=None, minimum=0, maximum=PER_MINUTE_MAX
    )
    output_tokens_per_minute: float | None = setting(
        "Most output tokens a minute.", default=None, minimum=0, maximum=PER_MINUTE_MAX
    )


@dataclasses.dataclass(frozen=True, slots=True)
class ServiceChange:
    """What of the whole service may be changed live."""

    spend_max: float | None = setting(
        "Ceiling on what all jobs together may cost; 0: none.", default=None, minimum=0, maximum=1e9
    )
    jobs_max: int | None = setting("Jobs that run side by side.", default=None, minimum=1, maximum=64)


async def read_body(request: web.Request, cls: type[Body], *, optional: bool = False) -> Body:
    """What a request says; with an `optional` body, nothing may be said.

    Raises a `Refusal`, `ConfigError`, or what the server raises for an oversized one.
    """
    raw = await request.read()
    if not raw and optional:
        return cls()
    if request.content_type != "application/json":
        raise NotJson("the body must be application/json")
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"the body is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise Malformed("the body must be a JSON object")
    return typing.cast(Body, construct("the request", Path("/"), Section("body", "", _given(document, cls)), cls))


def _given(document: dict[str, Any], cls: type[Any]) -> dict[str, Any]:
    """Without nulls where they stand for nothing; whole numbers may be written with a point, as in 2.0."""
    hints = typing.get_type_hints(cls)
    given = {}
    for key, value in document.items():
        kinds = typing.get_args(hints.get(key)) or (hints.get(key),)
        if value is None and type(None) in kinds:
            continue
        given[key] = int(value) if int in kinds and isinstance(value, float) and value.is_integer() else value
    return given


def page_limit(request: web.Request) -> int:
    """The `limit` of a query. Raises `ConfigError`."""
    text = request.query.get("limit", str(PAGE))
    if not text.isascii() or not text.isdecimal() or len(text) > 4 or not 1 <= int(text) <= PAGE_MAX:
        raise ConfigError(f"limit must be a whole number from 1 to {PAGE_MAX}")
    return int(text)
