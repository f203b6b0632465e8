"""JSON Schemas of the dataclasses that the API takes and gives."""

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
REFERENCE = "#/components/schemas/"


def schemas_of(*classes: type[Any]) -> dict[str, Any]:
    """By name, of these and of all that they are made of."""
    found: dict[str, Any] = {}
    for cls in classes:
        _add(cls, found)
    return found


def reference(cls: type[Any]) -> dict[str, str]:
    """Where the schema of a class stands."""
    return {"$ref": REFERENCE + cls.__name__}


def _add(cls: type[Any], found: dict[str, Any]) -> None:
    if cls.__name__ in found:
        return
    if issubclass(cls, StrEnum):
        found[cls.__name__] = {"type": "string", "enum": [each.value for each in cls]}
        return
    hints, properties, required = typing.get_type_hints(cls), {}, []
    found[cls.__name__] = {}  # it may be made of itself
    for field in dataclasses.fields(cls):
        properties[field.name] = {**_of(hints[field.name], found), **_bounds(field.metadata)}
        is_needed = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if is_needed or not field.metadata:  # what we say ourselves is always whole
            required.append(field.name)
    found[cls.__name__] = {
        "type": "object",
        "description": " ".join((cls.__doc__ or "").split()),
        "properties": properties,
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }


def _of(hint: Any, found: dict[str, Any]) -> dict[str, Any]:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        return {"type": [PLAIN[each] for each in inner]}
    if origin in (list, Sequence):
        return {"type": "array", "items": _of(inner[0], found)}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": _of(inner[1], found)}
    if hint in PLAIN:
        return {"type": PLAIN[hint]}
    _add(hint, found)
    return reference(hint)


def _bounds(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """As `setting` was told."""
    words = {"doc": "description", "minimum": "minimum", "maximum": "maximum"}
    return {word: metadata[key] for key, word in words.items() if metadata.get(key) is not None}
