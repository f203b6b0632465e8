"""What a reply must be like to be delivered: how it starts, or which JSON schema it keeps, and in which language."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import orjson

from personastream.errors import ConfigError

MARKUP_CHARS_MAX = 16  # how much markup may surround an opening
FENCE = "```"

_LETTERS: Mapping[str, re.Pattern[str]] = {
    "zh": re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"),
}
"""Languages that can be told by their script: what of a text is in it."""

LETTERS_SHARE_MIN = 0.5
"""Names, terms and field names may stand in Latin letters."""

_CLOSING_MARKUP = re.compile(r"^[*_]{1,3}")
_EMPHASIS = " \t*_#>"

_PROBLEM_BY_FINISH = {"length": "length", "content_filter": "refused", "refusal": "refused"}


@dataclass(frozen=True, slots=True)
class Contract:
    """A reply must start with `opening` ("" allows all) or, if there is a `schema`, be JSON that keeps it.

    At least half of its letters are those of its `language`, if one is demanded. Lines begin with each of `lines`, in
    this order, with something behind each that ends in a colon; none begins with one of `without`, whatever the case.
    Raises `ConfigError` for a schema that is none, if the package that checks it is missing, and for a language that
    cannot be told.
    """

    opening: str = ""
    schema: Mapping[str, object] | None = None
    language: str = ""
    lines: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    _keeps_schema: Callable[[object], bool] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.language and self.language not in _LETTERS:
            known = ", ".join(sorted(_LETTERS))
            raise ConfigError(f"reply.language = {self.language!r} cannot be told", hint=f"Known here: {known}.")
        object.__setattr__(self, "_keeps_schema", None if self.schema is None else _checker(self.schema))

    @property
    def demand(self) -> str:
        """What a reply must do, in words."""
        shape = "keep the JSON schema" if self.schema is not None else f"start with {self.opening!r}"
        if self.language:
            shape += f" in the language {self.language!r}"
        if self.lines:
            shape += f" and have lines that begin with {', '.join(map(repr, self.lines))}"
        return shape + (f" and none with {', '.join(map(repr, self.without))}" if self.without else "")

    @property
    def terms(self) -> list[object]:
        """All that is demanded, as plain data."""
        of_lines = [list(self.lines), list(self.without)] if self.lines or self.without else []
        return [self.opening, self.schema, *([self.language] if self.language or of_lines else []), *of_lines]

    def problem(self, text: str, finish_reason: str) -> str | None:
        """Why a reply cannot be delivered: `length`, `refused`, `empty_content`, `contract`; None if it can."""
        if finish_reason in _PROBLEM_BY_FINISH:
            return _PROBLEM_BY_FINISH[finish_reason]
        plain = text.strip()
        if not plain:
            return "empty_content"
        if self._keeps_schema is not None:
            problem = None if self._keeps_schema(json_value(plain)) else "contract"
        else:
            problem = self._opening_problem(plain)
        return problem or (None if self._keeps_language(plain) and self._keeps_lines(plain) else "contract")

    def content(self, text: str) -> str:
        """What is delivered of a reply that has no problem: all of it, but for a fence around JSON."""
        return text if self.schema is None else _unfenced(text.strip())

    def behind_opening(self, text: str) -> str:
        """What follows the opening of a reply that has no problem, without space around it."""
        plain = text.strip()
        if plain.startswith(self.opening):
            return plain[len(self.opening) :].strip()
        opening = _without_markup(self.opening)
        ends = range(len(opening), len(self.opening) + MARKUP_CHARS_MAX + 1)
        end = next((end for end in ends if _without_markup(plain[:end]).strip() == opening), 0)
        return _CLOSING_MARKUP.sub("", plain[end:]).strip()

    def _keeps_language(self, plain: str) -> bool:
        if not self.language:
            return True
        letters = sum(map(str.isalpha, plain))
        return letters > 0 and len(_LETTERS[self.language].findall(plain)) >= LETTERS_SHARE_MIN * letters

    def _keeps_lines(self, plain: str) -> bool:
        """Markdown emphasis before a line's beginning is forgiven."""
        if not self.lines and not self.without:
            return True
        lines = [line.lstrip(_EMPHASIS) for line in plain.split("\n")]
        unwanted = tuple(map(str.casefold, self.without))
        if unwanted and any(line.casefold().startswith(unwanted) for line in lines):
            return False
        wanted, behind = list(self.lines), True
        for line in lines:
            if wanted and line.startswith(wanted[0]):
                if not behind:
                    return False
                beginning = wanted.pop(0)
                behind, line = not beginning.endswith((":", "：")), line[len(beginning) :]
            behind = behind or bool(line.strip(_EMPHASIS))
        return not wanted and behind

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


def json_value(plain: str) -> object:
    """The JSON value of a stripped reply, fenced or not; `...`, which keeps no schema, if it is none."""
    try:
        return orjson.loads(_unfenced(plain))
    except orjson.JSONDecodeError:
        return ...


def _unfenced(plain: str) -> str:
    """A reply without the Markdown fence that it may stand in."""
    if plain.startswith(FENCE) and plain.endswith(FENCE):
        return plain[len(FENCE) : -len(FENCE)].removeprefix("json").strip()
    return plain


def _checker(schema: Mapping[str, object]) -> Callable[[object], bool]:
    try:
        from jsonschema import Draft202012Validator, SchemaError, ValidationError, validators  # an extra, and slow
    except ModuleNotFoundError as error:
        raise ConfigError(
            "reply.schema needs the package jsonschema", hint="Install it: pip install 'personastream[schema]'"
        ) from error
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ConfigError(f"reply.schema is no JSON schema: {error.message}") from error
    for reference in _found("$ref", schema):
        if not _leads_somewhere(reference, schema):
            raise ConfigError(
                f"reply.schema: $ref = {reference!r} leads nowhere",
                hint="It must name a part of this schema: #/$defs/…",
            )
    searches = {pattern: _linear_search(pattern) for pattern in _found("pattern", schema) if isinstance(pattern, str)}

    def pattern_problem(_: object, pattern: str, value: object, __: object) -> Iterator[ValidationError]:
        if isinstance(value, str) and not searches[pattern](value):
            yield ValidationError("the pattern is not in it")

    validator = validators.extend(Draft202012Validator, {"pattern": pattern_problem})(schema)

    def keeps(value: object) -> bool:
        try:
            return value is not ... and bool(validator.is_valid(value))
        except RecursionError:  # a reply nested deeper than any that makes sense
            return False

    try:
        validator.is_valid(None)
    except RecursionError as error:
        raise ConfigError("reply.schema refers to itself without end", hint="Look at its $ref.") from error
    return keeps


def _linear_search(pattern: str) -> Callable[[str], object]:
    """A search that takes linear time, whatever the text: replies are not to be trusted. Raises `ConfigError`."""
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        search: Callable[[str], object] = re2.compile(pattern, options).search
    except re2.error as error:
        raise ConfigError(
            f"reply.schema: the pattern {pattern!r} cannot be matched in linear time: {error}",
            hint="Look-around and references to groups are not allowed: write it without.",
        ) from error
    return search


def _found(key: str, part: object) -> Iterator[object]:
    """All values of a key anywhere in a schema."""
    if isinstance(part, dict):
        if key in part:
            yield part[key]
        for each in part.values():
            yield from _found(key, each)
    elif isinstance(part, list):
        for each in part:
            yield from _found(key, each)


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
