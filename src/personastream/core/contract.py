"""What a reply must be like to be delivered: how it starts, or which JSON schema it keeps."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import orjson

from personastream.errors import ConfigError

MARKUP_CHARS_MAX = 16  # how much markup may surround an opening
FENCE = "```"

_PROBLEM_BY_FINISH = {"length": "length", "content_filter": "refused", "refusal": "refused"}


@dataclass(frozen=True, slots=True)
class Contract:
    """A reply must start with `opening` ("" allows all) and, if there is a `schema`, be JSON that keeps it.

    Raises `ConfigError` for a schema that is none, or if the package that checks it is missing.
    """

    opening: str = ""
    schema: Mapping[str, object] | None = None
    _keeps_schema: Callable[[object], bool] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_keeps_schema", None if self.schema is None else _checker(self.schema))

    @property
    def demand(self) -> str:
        """What a reply must do, in words."""
        return "keep the JSON schema" if self.schema is not None else f"start with {self.opening!r}"

    def problem(self, text: str, finish_reason: str) -> str | None:
        """Why a reply cannot be delivered: `length`, `refused`, `empty_content`, `contract`; None if it can."""
        if finish_reason in _PROBLEM_BY_FINISH:
            return _PROBLEM_BY_FINISH[finish_reason]
        plain = text.strip()
        if not plain:
            return "empty_content"
        if self._keeps_schema is not None:
            return None if self._keeps_schema(_json(plain)) else "contract"
        return self._opening_problem(plain)

    def _opening_problem(self, plain: str) -> str | None:
        """Space and Markdown emphasis around the opening are forgiven: `**Title:**` will do for `Title:`."""
        opening = self.opening
        if not plain.startswith(opening):
            plain = _without_markup(plain[: len(opening) + MARKUP_CHARS_MAX]).strip()
            opening = _without_markup(opening)
        if not plain:
            return "empty_content"
        if not plain.startswith(opening):
            return "contract"
        return None if len(plain) > len(opening) else "empty_content"


def _json(plain: str) -> object:
    """The JSON value of a reply, which may stand in a Markdown fence; `...`, which keeps no schema, if it is none."""
    if plain.startswith(FENCE) and plain.endswith(FENCE):
        plain = plain[len(FENCE) : -len(FENCE)].removeprefix("json")
    try:
        return orjson.loads(plain)
    except orjson.JSONDecodeError:
        return ...


def _checker(schema: Mapping[str, object]) -> Callable[[object], bool]:
    try:
        from jsonschema import Draft202012Validator, SchemaError  # an extra, and slow to import
    except ModuleNotFoundError as error:
        raise ConfigError(
            "reply.schema needs the package jsonschema", hint="Install it: pip install 'personastream[schema]'"
        ) from error
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ConfigError(f"reply.schema is no JSON schema: {error.message}") from error
    for reference in _references(schema):
        if not _leads_somewhere(reference, schema):
            raise ConfigError(
                f"reply.schema: $ref = {reference!r} leads nowhere",
                hint="It must name a part of this schema: #/$defs/…",
            )
    validator = Draft202012Validator(schema)
    return lambda value: value is not ... and bool(validator.is_valid(value))


def _references(part: object) -> Iterator[object]:
    """All `$ref` in a schema."""
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        for each in part.values():
            yield from _references(each)
    elif isinstance(part, list):
        for each in part:
            yield from _references(each)


def _leads_somewhere(reference: object, schema: object) -> bool:
    """Whether a reference is a JSON pointer (RFC 6901) to a part of the schema itself; others are never fetched."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return False
    part = schema
    for name in reference.removeprefix("#").split("/")[1:]:
        name = name.replace("~1", "/").replace("~0", "~")
        if isinstance(part, list) and name.isdecimal() and int(name) < len(part):
            part = part[int(name)]
        elif isinstance(part, dict) and name in part:
            part = part[name]
        else:
            return False
    return reference == "#" or reference.startswith("#/")


def _without_markup(text: str) -> str:
    return text.replace("*", "").replace("_", "").replace("#", "")
