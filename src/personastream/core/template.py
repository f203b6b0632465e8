"""A prompt as data: parsing a template, rendering it for a row, checking a reply against its contract.

Law: what a row holds, a persona or a text, is data. It is joined to the template's text once, by concatenation, so
nothing in it is ever expanded. Every `<` in it reaches the model as `‹`, so nothing in it can close its block or spell
a control token such as `</s>` or `<|im_end|>`. Records keep it as it was read.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches

import orjson
from xxhash import xxh3_64_hexdigest

from personastream.core.contract import Contract
from personastream.core.demonstrations import PLACEHOLDER, SHOWN_MODES, words_for
from personastream.core.inert import inert
from personastream.errors import ConfigError
from personastream.records import Request

BLOCKS = ("persona", "text")
"""What a row may hold: a template has `{persona}` in a block `<persona>`, or `{text}` in a block `<text>`."""

MAX_TOKENS_DEFAULT = 1024
_BOUNDS: Mapping[str, tuple[type, float, float]] = {
    "temperature": (float, 0, 2),
    "top_p": (float, 0, 1),
    "max_tokens": (int, 1, 131_072),
}


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt around one row's `block`, a persona or a text, and what the reply must look like.

    `before` and `after` surround the block in the user text: what never changes comes first, for servers that cache
    prefixes. `before` is the `task`, then `demonstrations`, if there are any, then the `lead` to the block. `slots`
    are places in task and lead that a recipe fills, each with the words that stand for what it may say. `examples`
    are the words that introduce demonstrations, by prompting mode.
    `fingerprint` is `<name>@<8 hex digits>` over all that is sent: not over layout, comments, contract, fillings or
    demonstrations.
    """

    name: str
    description: str
    system: str
    task: str
    lead: str
    after: str
    block: str
    slots: Mapping[str, Mapping[str, str]]
    examples: Mapping[str, str]
    contract: Contract
    parameters: Mapping[str, object]
    fingerprint: str
    demonstrations: str = ""

    @property
    def before(self) -> str:
        """The user text before the row's content."""
        return f"{self.task}{self.demonstrations}{self.lead}"

    def render(self, content: str, **fillings: str) -> Request:
        """The request that asks for a row with this content; `fillings` are for slots that are not filled yet."""
        filled = self.filled(**fillings) if fillings else self
        return Request(self.system, f"{filled.before}{inert(content)}{self.after}", self.parameters)

    def filled(self, **fillings: str) -> "Template":
        """This template with slots filled: by the words it has for a filling, or by the filling itself."""
        if not fillings:
            return self
        words = {slot: self.slots[slot].get(filling) or inert(filling) for slot, filling in fillings.items()}
        places = re.compile("|".join(re.escape(f"{{{slot}}}") for slot in words))

        def fill(part: str) -> str:  # in one pass: what stands in a slot is no place for another
            return places.sub(lambda place: words[place[0][1:-1]], part)

        return replace(self, task=fill(self.task), lead=fill(self.lead))

    def demonstrated(self, demonstrations: str) -> "Template":
        """This template with demonstrations, between what never changes and the row."""
        return replace(self, demonstrations=demonstrations)


def parse_template(text: str, origin: str, fills: Iterable[str] = (), may_fill: Iterable[str] = ()) -> Template:
    """Parse a template's TOML text. `origin` is its file; the file's name without `.toml` names the template.

    Its slots must be those that the recipe `fills`, and may be those that it `may_fill`. Raises `ConfigError` naming
    origin and key.
    """
    try:
        top = _Table(tomllib.loads(text), origin)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{origin}: not valid TOML: {error}") from None
    top.refuse_unknown(("description", "system", "user", "slots", "examples", "reply", "parameters"))
    reply, parameters = top.table("reply"), top.table("parameters")
    reply.refuse_unknown(("opening", "schema", "structured", "language", "lines", "without"))
    parameters.refuse_unknown(_BOUNDS)

    name = origin.rpartition("/")[2].removesuffix(".toml")
    description, system = top.text("description"), top.text("system", default="")
    before, block, after = _split_at_block(top.text("user").strip(), origin)
    task, lead = _split_for_demonstrations(before, block)
    before = task + lead
    slots = _slots(top.table("slots"), before, fills, may_fill)
    contract = _contract(reply, system + before + after)
    examples = {**words_for(contract.language, block), **_texts(top.table("examples"), SHOWN_MODES)}
    sampling: dict[str, object] = {"max_tokens": MAX_TOKENS_DEFAULT} | {
        key: parameters.number(key) for key in parameters.values
    }
    if reply.truth("structured"):
        sampling["response_format"] = _response_format(reply, contract, name)
    sent = [description, system, before, after, sampling]
    digest = digest_of([*sent, slots] if slots else sent)
    fingerprint = f"{name}@{digest}"
    return Template(
        name, description, system, task, lead, after, block, slots, examples, contract, sampling, fingerprint
    )


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
    lines = reply.texts("lines")
    for line in lines:
        if line not in prompt:
            raise ConfigError(f"{reply.origin}: the prompt never asks for a line that begins with {line!r}")
    try:
        return Contract(opening, schema, reply.text("language", default=""), lines, reply.texts("without"))
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


def _split_for_demonstrations(before: str, block: str) -> tuple[str, str]:
    """`before` as far as what never changes, and the rest: demonstrations come between them, if there are any."""
    if PLACEHOLDER in before:
        task, _, lead = before.partition(PLACEHOLDER)
        return task, lead.lstrip("\n")
    opens = f"<{block}>\n"
    return before.removesuffix(opens), opens


def _texts(table: "_Table", known: Iterable[str]) -> Mapping[str, str]:
    """A table of texts under known keys, none of which is needed."""
    table.refuse_unknown(known)
    return {key: table.text(key).strip() for key in table.values}


def _slots(
    table: "_Table", before: str, fills: Iterable[str], may_fill: Iterable[str]
) -> Mapping[str, Mapping[str, str]]:
    """The words for each slot. Every slot has a place in the prompt, and is one that the recipe fills."""
    fills = sorted({*fills, *(slot for slot in may_fill if slot in table.values)})
    if sorted(table.values) != fills:
        wanted = ", ".join(f"{{{slot}}}" for slot in fills) or "no slots"
        hint = "each recipe has templates of its own: see docs/templates.md"
        raise ConfigError(f"{table.origin}: this recipe fills {wanted}, the template has {_listed(table)}", hint=hint)
    for slot in fills:
        if f"{{{slot}}}" not in before:
            hint = f"write {{{slot}}} into `user`, before the block"
            raise ConfigError(f"{table.origin}: the prompt has no place for {table.prefix}{slot}", hint=hint)
    words = {slot: table.table(slot) for slot in fills}
    return {slot: {key: each.text(key) for key in each.values} for slot, each in words.items()}


def _listed(table: "_Table") -> str:
    return ", ".join(f"{{{slot}}}" for slot in sorted(table.values)) or "none"


def _split_at_block(user: str, origin: str) -> tuple[str, str, str]:
    """`user` before its placeholder, which of `BLOCKS` it has, and `user` after. The block must be the only one."""
    counts = {name: user.count(f"{{{name}}}") for name in BLOCKS}
    block = next((name for name in BLOCKS if counts[name]), BLOCKS[0])
    placeholder, opens, closes = f"{{{block}}}", f"<{block}>", f"</{block}>"
    if counts[block] != 1:
        hint = f"write {placeholder} once, where the {block} belongs"
        raise ConfigError(f"{origin}: user holds {placeholder} {counts[block]} times", hint=hint)
    before, _, after = user.partition(placeholder)
    in_block = f"\n{before}".endswith(f"\n{opens}\n") and f"{after}\n".startswith(f"\n{closes}\n")
    if not in_block or user.count(opens) != 1 or user.count(closes) != 1:
        hint = f"three lines, {opens}, {placeholder} and {closes}, must follow one another, once"
        raise ConfigError(f"{origin}: user does not hold the {block} in one block of its own", hint=hint)
    return before, block, after


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

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
            raise self._wrong(key, f"must be a list of texts, not {value!r}")
        return tuple(value)

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
