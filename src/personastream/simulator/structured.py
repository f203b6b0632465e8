"""Replies that keep a JSON schema, as servers with structured output give them. Pure.

Known: type, enum, const, properties, items, anyOf, oneOf, allOf, `$ref` into the same schema, and the bounds of
lengths and numbers. What else a schema says is not looked at.
"""

from collections.abc import Mapping
from typing import Any

DEPTH_MAX, VALUES_MAX = 16, 1000
"""A schema that refers to itself ends here with null."""

ITEMS, ITEMS_MAX = 2, 100


def conforming(schema: Any, text: str, number: int) -> Any:
    """A value that keeps the schema: its texts come from `text`, its numbers and choices from `number`."""
    return _Values(schema, text, number).make(schema, 0)


class _Values:
    """Makes values for the parts of one schema."""

    def __init__(self, root: Any, text: str, number: int) -> None:
        self._root, self._text, self._number = root, text, number
        self._made = 0

    def make(self, schema: Any, depth: int) -> Any:
        self._made += 1
        if not isinstance(schema, Mapping) or depth > DEPTH_MAX or self._made > VALUES_MAX:
            return None
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return schema["enum"][self._number % len(schema["enum"])]
        if isinstance(schema.get("$ref"), str):
            return self.make(self._target(schema["$ref"]), depth + 1)
        for several in ("anyOf", "oneOf", "allOf"):
            if isinstance(schema.get(several), list) and schema[several]:
                return self.make(schema[several][0], depth + 1)
        return self._of_type(schema, depth)

    def _of_type(self, schema: Mapping[str, Any], depth: int) -> Any:
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = next((each for each in kind if each != "null"), "null")
        if kind == "object":
            properties = schema.get("properties")
            parts = properties if isinstance(properties, Mapping) else {}
            return {name: self.make(part, depth + 1) for name, part in parts.items()}
        if kind == "array":
            count = min(ITEMS_MAX, _bounded(schema, "minItems", "maxItems", ITEMS))
            return [self.make(schema.get("items", {}), depth + 1) for _ in range(count)]
        if kind == "string":
            length = _bounded(schema, "minLength", "maxLength", len(self._text))
            return self._text.ljust(length, ".")[:length]
        if kind in ("integer", "number"):
            return _bounded(schema, "minimum", "maximum", self._number % 1000)
        return self._number % 2 == 0 if kind == "boolean" else None

    def _target(self, reference: str) -> Any:
        part = self._root
        for name in reference.removeprefix("#/").split("/"):
            part = part.get(name) if isinstance(part, Mapping) else None
        return part


def _bounded(schema: Mapping[str, Any], low: str, high: str, wanted: int) -> int:
    """The whole number nearest to `wanted` within two bounds of the schema, if it has them; never below 0."""
    lowest, highest = (bound if isinstance(bound := schema.get(name), int) else None for name in (low, high))
    if highest is not None:
        wanted = min(wanted, highest)
    return max(0 if lowest is None else min(lowest, 100_000), wanted)
