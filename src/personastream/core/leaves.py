"""The texts in a value that JSON can hold, wherever they stand: keys of objects included. Pure."""

from collections.abc import Iterator, Mapping

from personastream.errors import RowError

DEPTH_MAX = 250
"""What is deeper cannot be written as JSON either."""
NO_REPLY = frozenset({"id", "description", "synthetic", "meta", "input persona", "input text"})
"""Keys of a record that hold what was asked with, or the program's own words."""


def leaves(value: object, depth: int = 0) -> Iterator[str]:
    """All texts of `value`, in order. Raises `RowError` if it is nested too deep."""
    if depth > DEPTH_MAX:
        raise RowError(f"a record is nested deeper than {DEPTH_MAX} levels", reason="unwritable_record")
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (key for key in value if isinstance(key, str))
        for each in value.values():
            yield from leaves(each, depth + 1)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from leaves(each, depth + 1)


def reply_texts(record: Mapping[str, object]) -> tuple[str, ...]:
    """The texts in a record that a model wrote, wherever they stand, each once."""
    foreign = [value for key, value in record.items() if key not in NO_REPLY]
    return tuple(dict.fromkeys(leaves(foreign)))


def with_leaves(value: object, changed: Mapping[str, str]) -> object:
    """`value` with other texts in place of those that `changed` names."""
    if isinstance(value, str):
        return changed.get(value, value)
    if isinstance(value, Mapping):
        return {changed.get(key, key): with_leaves(each, changed) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [with_leaves(each, changed) for each in value]
    return value
