"""The OpenAPI document of the API, made of the dataclasses that the API takes and gives."""

from functools import cache
from typing import Any

from personastream import __version__
from personastream.serve.api.bodies import (
    PAGE,
    PAGE_MAX,
    EndpointChange,
    JobChange,
    NewJob,
    Retry,
    ServiceChange,
)
from personastream.serve.api.schemas import reference, schemas_of
from personastream.serve.rows import LETTER
from personastream.serve.view import EndpointView, JobView, ServiceView

NAME_PATTERN = "^[a-z0-9][a-z0-9._-]{0,63}$"
COMMANDS = {
    "pause": "Send no further request; the sitting stays.",
    "resume": "Go on after a pause, a stop or a failure, or try again now.",
    "stop": "End the sitting in order, and let go of the run.",
    "cancel": "End the job for good; its output stays.",
}
ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {each: {"type": "string"} for each in ("message", "hint", "where")},
            "required": ["message", "hint", "where"],
        }
    },
    "required": ["error"],
}
EXAMPLE = {
    "name": "math",
    "config": """[source]
paths = ["personas/*.jsonl.zst"]
[recipe]
template = "math"
[provider]
base_url = "http://127.0.0.1:8000/v1"
model = "my-model"
""",
    "priority": 1,
}
_NAME = {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "pattern": NAME_PATTERN}}
_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
_LIMIT = {
    "name": "limit",
    "in": "query",
    "schema": {"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": PAGE},
}


@cache
def document() -> dict[str, Any]:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "personastream",
            "version": __version__,
            "description": "Jobs that stream personas through LLMs: submit, watch and command them.",
        },
        "paths": {**_jobs(), **_rows(), **_endpoints(), **_whole()},
        "components": {
            "schemas": {
                **schemas_of(ServiceView, JobView, EndpointView),
                **schemas_of(NewJob, JobChange, Retry, EndpointChange, ServiceChange),
                "Error": ERROR,
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _jobs() -> dict[str, Any]:
    job = reference(JobView)
    new = _operation("submitJob", "Submit a job.", {"201": job}, body=NewJob)
    new["requestBody"]["content"]["application/json"]["examples"] = {"math": {"value": EXAMPLE}}
    new["responses"]["201"]["headers"] = {"Location": {"schema": {"type": "string"}}}
    new["responses"]["201"]["links"] = {
        name: {"operationId": name, "parameters": {"name": "$response.body#/name"}}
        for name in ("showJob", "pauseJob", "resumeJob", "stopJob", "cancelJob", "retryJob", "changeJob", "forgetJob")
    }
    change = _operation("changeJob", "Change a job live.", {"200": job}, body=JobChange)
    paths: dict[str, Any] = {
        "/v1/jobs": {"get": _operation("listJobs", "All jobs.", {"200": _list("jobs", job)}), "post": new},
        "/v1/jobs/{name}": {
            "parameters": [_NAME],
            "get": _operation("showJob", "One job.", {"200": job}),
            "patch": change,
            "delete": _operation(
                "forgetJob", "Forget a job that has ended; its run stays.", {"200": job}, errors=_CHANGING
            ),
        },
    }
    for verb, words in COMMANDS.items():
        paths[f"/v1/jobs/{{name}}/{verb}"] = {
            "parameters": [_NAME],
            "post": _operation(f"{verb}Job", words, {"202": job}, errors=_CHANGING),
        }
    retry = _operation("retryJob", "Ask dead rows again.", {"202": job}, body=Retry, needs_body=False)
    paths["/v1/jobs/{name}/retry"] = {"parameters": [_NAME], "post": retry}
    config = _operation("showConfig", "The configuration, as submitted.", {})
    text = {"text/plain": {"schema": {"type": "string"}}}
    config["responses"]["200"] = {"description": "TOML.", "content": text}
    paths["/v1/jobs/{name}/config"] = {"parameters": [_NAME], "get": config}
    return paths


def _rows() -> dict[str, Any]:
    letter = {**_object({key: {"type": "string"} for key in LETTER}), "additionalProperties": False}
    dead = _object({"letters": {"type": "array", "items": letter}, "next": {"type": "string"}})
    after = {"name": "after", "in": "query", "schema": {"type": "string"}, "description": "`next` of the page before."}
    reason = {"name": "reason", "in": "query", "schema": {"type": "string"}, "description": "Of this reason alone."}
    records = _list("records", {"type": "object"})
    show = _operation("showRecords", "The latest records.", {"200": records}, parameters=(_LIMIT,), errors=("422",))
    look = _operation(
        "showDead", "Dead letters, page by page.", {"200": dead}, parameters=(_LIMIT, after, reason), errors=("422",)
    )
    return {
        "/v1/jobs/{name}/records": {"parameters": [_NAME], "get": show},
        "/v1/jobs/{name}/dead": {"parameters": [_NAME], "get": look},
    }


def _endpoints() -> dict[str, Any]:
    endpoint = reference(EndpointView)
    listed = _operation("listEndpoints", "All endpoints.", {"200": _list("endpoints", endpoint)})
    changed = _operation("changeEndpoint", "Change its ceilings live.", {"200": endpoint}, body=EndpointChange)
    return {"/v1/endpoints": {"get": listed}, "/v1/endpoints/{id}": {"parameters": [_ID], "patch": changed}}


def _whole() -> dict[str, Any]:
    view = reference(ServiceView)
    stream = {"description": "Server-sent events: `state`, once a second.", "content": {"text/event-stream": {}}}
    events = _operation("watch", "What happens, as it happens.", {})
    events["responses"]["200"] = stream
    return {
        "/v1/state": {"get": _operation("showState", "All there is to see.", {"200": view})},
        "/v1/service": {"patch": _operation("changeService", "Ceilings of all.", {"200": view}, body=ServiceChange)},
        "/v1/service/reload": {
            "post": _operation("reload", "Read settings and keys again.", {"202": view}, errors=_CHANGING)
        },
        "/v1/service/drain": {"post": _operation("drain", "End in order.", {"202": view}, errors=_CHANGING)},
        "/v1/events": {"get": events},
        "/v1/openapi.json": {"get": _operation("describe", "This document.", {"200": {"type": "object"}})},
    }


_CHANGING = ("409", "413", "415", "422", "507")


def _operation(
    name: str,
    summary: str,
    answers: dict[str, Any],
    *,
    body: type[Any] | None = None,
    needs_body: bool = True,
    parameters: tuple[dict[str, Any], ...] = (),
    errors: tuple[str, ...] = (),
) -> dict[str, Any]:
    """One method of one path."""
    told = {"description": "Why not.", "content": _json({"$ref": "#/components/schemas/Error"})}
    codes = ("400", "401", "403", "404", "421", *(_CHANGING if body else errors))
    return {
        "operationId": name,
        "summary": summary,
        **({"parameters": list(parameters)} if parameters else {}),
        **({"requestBody": {"required": needs_body, "content": _json(reference(body))}} if body else {}),
        "responses": {
            **{code: {"description": summary, "content": _json(schema)} for code, schema in answers.items()},
            **dict.fromkeys(codes, told),
        },
    }


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _list(name: str, schema: Any) -> dict[str, Any]:
    return _object({name: {"type": "array", "items": schema}})


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": sorted(properties)}
