"""Cells of Arrow columns as what JSON would hold: texts, numbers, lists and objects of them.

Dates and times become ISO 8601 text, decimals numbers, and bytes text. What cannot be text, for it is no UTF-8, is
left as bytes where it is asked for, and mended with U+FFFD elsewhere.
"""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyarrow import Array, DataType


def cells(column: "Array", *, keep_bytes: bool = False) -> list[Any]:
    """The cells of a column in order, None for nulls. With `keep_bytes`, text that is no UTF-8 stays as bytes."""
    undecoded = _bytes if keep_bytes else _mended
    try:
        values: list[Any] = column.to_pylist()
    except UnicodeDecodeError:  # the column says that it is UTF-8, and is not
        values = [_cell(cell, undecoded) for cell in column]
    return values if _is_json(column.type) else [_plain(value, undecoded) for value in values]


def _bytes(value: bytes) -> object:
    return value


def _mended(value: bytes) -> object:
    return value.decode("utf-8", "replace")


def _cell(cell: Any, undecoded: Callable[[bytes], object]) -> Any:
    try:
        return cell.as_py()
    except UnicodeDecodeError:
        return undecoded(cell.as_buffer().to_pybytes()) if hasattr(cell, "as_buffer") else None


def _is_json(kind: "DataType") -> bool:
    """Whether the values of a type need no change."""
    from pyarrow import types

    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _is_json(kind.value_type)
    if types.is_struct(kind):
        return all(_is_json(each.type) for each in kind)
    if types.is_dictionary(kind):
        return _is_json(kind.value_type)
    return bool(
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_boolean(kind)
        or types.is_null(kind)
    )


def _plain(value: Any, undecoded: Callable[[bytes], object]) -> Any:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return undecoded(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, list | tuple):
        return [_plain(each, _mended) for each in value]
    if isinstance(value, dict):
        return {str(key): _plain(each, _mended) for key, each in value.items()}
    return value if value is None or isinstance(value, str | int | float) else str(value)
