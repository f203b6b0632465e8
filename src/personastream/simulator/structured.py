"""Replies that keep a JSON schema, as servers with structured output give them. Pure.

Known: type, enum, const, properties, items, anyOf, oneOf, allOf, `$ref` into the same schema, and the bounds of
lengths and numbers. Of patterns, those that a name in snake_case matches. What else a schema says is not looked at.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from personastream.simulator.draws import draw
from personastream.simulator.people import Person
from personastream.simulator.phrases import VALUES

DEPTH_MAX, VALUES_MAX = 16, 1000
"""A schema that refers to itself ends here with null."""

ITEMS, ITEMS_MAX = 2, 100


def conforming(schema: Any, text: str, number: int, people: Sequence[Person] = ()) -> Any:
    """A value that keeps the schema: its texts come from `text`, its numbers and choices from `number`.

    A list has an item for each of the `people`, if there are any, who fill in properties named like their fields.
    Other properties with a name that is known (`phrases.VALUES`) are filled in by that.
    """
    return _Values(schema, text, number, people).make(schema, 0)


class _Values:
    """Makes values for the parts of one schema."""

    def __init__(self, root: Any, text: str, number: int, people: Sequence[Person]) -> None:
        self._root, self._text, self._number, self._people = root, text, number, people
        self._person: Person | None = None
        self._made = 0

    def make(self, schema: Any, depth: int, name: str = "") -> Any:
        self._made += 1
        if not isinstance(schema, Mapping) or depth > DEPTH_MAX or self._made > VALUES_MAX:
            return None
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return schema["enum"][self._draw() % len(schema["enum"])]
        if isinstance(schema.get("$ref"), str):
            return self.make(self._target(schema["$ref"]), depth + 1, name)
        for several in ("anyOf", "oneOf", "allOf"):
            if isinstance(schema.get(several), list) and schema[several]:
                return self.make(schema[several][0], depth + 1, name)
        return self._of_type(schema, depth, name)

    def _of_type(self, schema: Mapping[str, Any], depth: int, name: str) -> Any:
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = next((each for each in kind if each != "null"), "null")
        if kind == "object":
            properties = schema.get("properties")
            parts = properties if isinstance(properties, Mapping) else {}
            return {key: self.make(part, depth + 1, str(key)) for key, part in parts.items()}
        if kind == "array":
            return [self._item(schema, place, depth, name) for place in range(self._count(schema))]
        if kind == "string":
            text = self._words(schema, name)
            length = _bounded(schema, "minLength", "maxLength", len(text))
            return text.ljust(length, ".")[:length]
        if kind in ("integer", "number"):
            return _bounded(schema, "minimum", "maximum", self._number % 1000)
        return self._number % 2 == 0 if kind == "boolean" else None

    def _count(self, schema: Mapping[str, Any]) -> int:
        return min(ITEMS_MAX, _bounded(schema, "minItems", "maxItems", len(self._people) or ITEMS))

    def _item(self, schema: Mapping[str, Any], place: int, depth: int, name: str) -> Any:
        if place < len(self._people):
            self._person = self._people[place]
        return self.make(schema.get("items", {}), depth + 1, name)

    def _words(self, schema: Mapping[str, Any], name: str) -> str:
        if self._person is not None and name in Person._fields:
            return str(getattr(self._person, name))
        if "pattern" in schema and _matches(schema["pattern"], snake := self._value("function_name")):
            return snake
        return self._value(name) or self._text

    def _value(self, name: str) -> str:
        parts = VALUES.get(name, ())
        return "".join([words[self._draw() % len(words)] for words in parts])

    def _draw(self) -> int:
        self._made += 1
        return draw(self._number, self._made, 0)

    def _target(self, reference: str) -> Any:
        part = self._root
        for name in reference.removeprefix("#/").split("/"):
            part = part.get(name) if isinstance(part, Mapping) else None
        return part


def _matches(pattern: Any, text: str) -> bool:
    try:
        return isinstance(pattern, str) and re.search(pattern, text) is not None
    except re.error:
        return False


def _bounded(schema: Mapping[str, Any], low: str, high: str, wanted: int) -> int:
    """The whole number nearest to `wanted` within two bounds of the schema, if it has them; never below 0."""
    lowest, highest = (bound if isinstance(bound := schema.get(name), int) else None for name in (low, high))
    if highest is not None:
        wanted = min(wanted, highest)
    return max(0 if lowest is None else min(lowest, 100_000), wanted)
