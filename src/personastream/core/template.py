"""A prompt as data: parsing a template, rendering it for a persona, checking a reply against its contract.

Law: a persona is data. It is joined to the template's text once, by concatenation, so nothing in it is ever
expanded. Every `<` in it reaches the model as `‹`, so nothing in it can close the persona block or spell a
control token such as `</s>` or `<|im_end|>`. Records keep the persona as it was read.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import orjson
from xxhash import xxh3_64_hexdigest

from personastream.core.contract import Contract
from personastream.errors import ConfigError
from personastream.records import Request

PLACEHOLDER = "{persona}"
BLOCK_OPEN, BLOCK_CLOSE = "<persona>", "</persona>"
MAX_TOKENS_DEFAULT = 1024
_BOUNDS: Mapping[str, tuple[type, float, float]] = {
    "temperature": (float, 0, 2),
    "top_p": (float, 0, 1),
    "max_tokens": (int, 1, 131_072),
}


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt around one persona, and what the reply must look like.

    `before` and `after` surround the persona in the user text: what never changes comes first, for servers that cache
    prefixes. `fingerprint` is `<name>@<8 hex digits>` over all that is sent: not over layout, comments or contract.
    """

    name: str
    description: str
    system: str
    before: str
    after: str
    contract: Contract
    parameters: Mapping[str, object]
    fingerprint: str

    def render(self, persona: str) -> Request:
        """The request that asks for `persona`."""
        return Request(self.system, self.before + persona.replace("<", "‹") + self.after, self.parameters)


def parse_template(text: str, origin: str) -> Template:
    """Parse a template's TOML text. `origin` is its file; the file's name without `.toml` names the template.

    Raises `ConfigError` naming origin and key.
    """
    try:
        top = _Table(tomllib.loads(text), origin)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{origin}: not valid TOML: {error}") from None
    top.refuse_unknown(("description", "system", "user", "reply", "parameters"))
    reply, parameters = top.table("reply"), top.table("parameters")
    reply.refuse_unknown(("opening", "schema", "structured"))
    parameters.refuse_unknown(_BOUNDS)

    name = origin.rpartition("/")[2].removesuffix(".toml")
    description, system = top.text("description"), top.text("system", default="")
    before, after = _split_at_persona(top.text("user").strip(), origin)
    contract = _contract(reply, system + before + after)
    sampling: dict[str, object] = {"max_tokens": MAX_TOKENS_DEFAULT} | {
        key: parameters.number(key) for key in parameters.values
    }
    if reply.truth("structured"):
        sampling["response_format"] = _response_format(reply, contract, name)
    digest = digest_of([description, system, before, after, sampling])
    return Template(name, description, system, before, after, contract, sampling, f"{name}@{digest}")


def digest_of(content: object) -> str:
    """Eight hex digits that stand for plain data, whatever the order of its keys."""
    return xxh3_64_hexdigest(orjson.dumps(content, option=orjson.OPT_SORT_KEYS))[:8]


def _contract(reply: "_Table", prompt: str) -> Contract:
    opening = reply.text("opening", default="").strip()
    schema = reply.table("schema").values if "schema" in reply.values else None
    if opening and schema is not None:
        raise ConfigError(f"{reply.origin}: reply.opening and reply.schema exclude each other")
    if opening not in prompt:
        hint = "write it into `user` word for word: no model can guess it"
        raise ConfigError(f"{reply.origin}: the prompt never asks for reply.opening, {opening!r}", hint=hint)
    try:
        return Contract(opening, schema)
    except ConfigError as error:
        raise ConfigError(f"{reply.origin}: {error.message}", hint=error.hint) from error


def _response_format(reply: "_Table", contract: Contract, name: str) -> Mapping[str, object]:
    """How OpenAI's protocol asks a server to hold the model to a schema while it writes."""
    if contract.schema is None:
        raise ConfigError(f"{reply.origin}: reply.structured needs reply.schema")
    return {
        "type": "json_schema",
        "json_schema": {"name": re.sub("[^a-zA-Z0-9_-]+", "_", name), "strict": True, "schema": contract.schema},
    }


def _split_at_persona(user: str, origin: str) -> tuple[str, str]:
    """The parts of `user` before and after its placeholder, which must fill the only persona block."""
    if (count := user.count(PLACEHOLDER)) != 1:
        hint = f"write {PLACEHOLDER} once, where the persona belongs"
        raise ConfigError(f"{origin}: user holds {PLACEHOLDER} {count} times", hint=hint)
    before, _, after = user.partition(PLACEHOLDER)
    in_block = f"\n{before}".endswith(f"\n{BLOCK_OPEN}\n") and f"{after}\n".startswith(f"\n{BLOCK_CLOSE}\n")
    if not in_block or user.count(BLOCK_OPEN) != 1 or user.count(BLOCK_CLOSE) != 1:
        hint = f"three lines, {BLOCK_OPEN}, {PLACEHOLDER} and {BLOCK_CLOSE}, must follow one another, once"
        raise ConfigError(f"{origin}: user does not hold the persona in one block of its own", hint=hint)
    return before, after


@dataclass(frozen=True, slots=True)
class _Table:
    """A TOML table that knows where it stands, for errors that say so. `prefix` is "" or ends in a dot."""

    values: Mapping[str, object]
    origin: str
    prefix: str = ""

    def refuse_unknown(self, known: Iterable[str]) -> None:
        known = sorted(known)
        for key in self.values:
            if key not in known:
                nearest = get_close_matches(key, known, n=1)
                hint = f'did you mean "{nearest[0]}"?' if nearest else f"keys known here: {', '.join(known)}"
                raise ConfigError(f'{self.origin}: unknown key "{self.prefix}{key}"', hint=hint)

    def table(self, key: str) -> "_Table":
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            raise self._wrong(key, f"must be a table: write it as [{self.prefix}{key}]")
        return _Table(value, self.origin, f"{self.prefix}{key}.")

    def text(self, key: str, default: str | None = None) -> str:
        value = self.values.get(key, default)
        if value is None:
            raise self._wrong(key, "is missing")
        if not isinstance(value, str):
            raise self._wrong(key, f"must be text, not {value!r}")
        if default is None and not value.strip():
            raise self._wrong(key, "is empty")
        return value

    def truth(self, key: str) -> bool:
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise self._wrong(key, f"must be true or false, not {value!r}")
        return value

    def number(self, key: str) -> float:
        kind, minimum, maximum = _BOUNDS[key]
        value = self.values[key]
        whole = isinstance(value, int) and not isinstance(value, bool)
        fits = whole or (kind is float and isinstance(value, float))
        if not fits or not isinstance(value, int | float):
            raise self._wrong(key, f"must be {'a whole number' if kind is int else 'a number'}, not {value!r}")
        if not minimum <= value <= maximum:
            raise self._wrong(key, f"must lie between {minimum} and {maximum}, not at {value}")
        return value

    def _wrong(self, key: str, what: str) -> ConfigError:
        return ConfigError(f"{self.origin}: {self.prefix}{key} {what}")
