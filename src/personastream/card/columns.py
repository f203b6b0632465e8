"""What kinds of columns exported rows have, whatever file they are written to."""

from collections.abc import Mapping
from typing import Any, Literal

Kind = Literal["text", "boolean", "integer", "number", "texts", "messages", "turns", "json"]
"""`messages` are objects of role and content, `turns` those of from and value; `json` is any value, as JSON text."""

Columns = Mapping[str, Kind]
Row = Mapping[str, Any]

INTEGER_MAX = (1 << 63) - 1
MESSAGE = frozenset(("role", "content"))


def fits(value: object, kind: Kind) -> bool:
    """Whether a column of a kind can hold the value as it is; every column can hold null."""
    if value is None:
        return True
    if kind == "boolean" or isinstance(value, bool):
        return kind == "boolean" and isinstance(value, bool)
    if kind == "text":
        return isinstance(value, str)
    if kind == "integer":
        return isinstance(value, int) and -INTEGER_MAX <= value <= INTEGER_MAX
    if kind == "number":
        return isinstance(value, int | float) and abs(value) <= INTEGER_MAX
    if kind == "texts":
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    return kind == "messages" and isinstance(value, list) and all(map(is_message, value))


def is_message(value: object) -> bool:
    """Whether it is an object of two texts, role and content."""
    return isinstance(value, dict) and value.keys() == MESSAGE and all(isinstance(each, str) for each in value.values())
