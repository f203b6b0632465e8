"""Whole records in typed columns: objects are flattened, so that `meta.usage.input_tokens` is a column of numbers.

Columns and their types are told from the first records. Nothing is lost if later ones differ: what has no column, or
does not fit it, stands as JSON in the last column, `_extra`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from personastream.card.columns import INTEGER_MAX, Columns, Kind, Row, fits, is_message
from personastream.export.conversation import Record
from personastream.export.format import Format

EXTRA = "_extra"
COLUMNS_MAX = 500
DEPTH_MAX = 8


def columns(sample: Sequence[Record]) -> Columns:
    """A column for every path in the sample, of a type that holds all of its values there."""
    kinds: dict[str, Kind | None] = {}
    for record in sample:
        for path, value in _leaves(record):
            if path in kinds or len(kinds) < COLUMNS_MAX:
                kinds[path] = _both(kinds.get(path), _kind(value))
    kinds.pop(EXTRA, None)
    return {**{path: kind or "text" for path, kind in kinds.items()}, EXTRA: "text"}


def row(record: Record, columns: Columns) -> Row:
    """The record's values by path."""
    found: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for path, value in _leaves(record):
        if value is None:
            continue
        kind = columns.get(path)
        if kind == "json":
            found[path] = orjson.dumps(value).decode()
        elif kind is None or path == EXTRA or not fits(value, kind):
            extra[path] = value
        else:
            found[path] = value
    if extra:
        found[EXTRA] = orjson.dumps(extra).decode()
    return found


def _leaves(values: Mapping[str, Any], before: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Every value that is no object with its path, as `--where` writes it: keys with dots stand in backticks."""
    for key, value in values.items():
        path = f"{before}`{key}`" if "." in key else before + key
        if isinstance(value, dict) and value and depth < DEPTH_MAX:
            yield from _leaves(value, f"{path}.", depth + 1)
        else:
            yield path, value


def _kind(value: object) -> Kind | None:
    """The kind of column that a value asks for, None if any will do."""
    if value is None or value == []:
        return None
    if isinstance(value, list):
        if all(map(is_message, value)):
            return "messages"
        return "texts" if all(isinstance(each, str) for each in value) else "json"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer" if abs(value) <= INTEGER_MAX else "number"
    return "number" if isinstance(value, float) else "text" if isinstance(value, str) else "json"


def _both(one: Kind | None, other: Kind | None) -> Kind | None:
    if one is None or other is None or one == other:
        return one or other
    return "number" if {one, other} == {"integer", "number"} else "json"


FORMAT = Format(
    columns, row, "Every row is a whole record, with `id`, `synthetic` and `meta`, flattened.", files=("parquet",)
)
