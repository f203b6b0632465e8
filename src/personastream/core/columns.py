"""Columns of an input object that are carried along with a row, by their dotted path.

`meta.origin`, in which records keep such columns, is carried on: its own columns take the place of it, so that what a
page's address was is still known six runs later.
"""

from collections.abc import Callable, Mapping, Sequence

from personastream.errors import ConfigError
from personastream.records import NO_ORIGIN, Origin

ORIGIN = "meta.origin"
KEPT_MAX = 32


def keeper(paths: Sequence[str]) -> Callable[[Mapping[str, object]], Origin]:
    """A function that takes the columns at `paths` out of an object; those that are missing or null are left out.

    Raises `ConfigError` for paths that name nothing.
    """
    if len(paths) > KEPT_MAX:
        raise ConfigError(f"keep names {len(paths)} columns; at most {KEPT_MAX} are carried along")
    for path in paths:
        if not path or not all(path.split(".")):
            raise ConfigError(f"keep holds {path!r}", hint="Name keys, joined by dots: meta.root")
    steps = [(path, path.split(".")) for path in paths if path != ORIGIN]
    carries_on = ORIGIN in paths

    def keep(row: Mapping[str, object]) -> Origin:
        kept: dict[str, object] = {}
        if carries_on and isinstance(before := column(row, ORIGIN.split(".")), dict):
            kept.update(before)
        for path, keys in steps:
            if (value := column(row, keys)) is not None:
                kept[path] = value
        return kept or NO_ORIGIN

    return keep


def text_column(path: str) -> Callable[[Mapping[str, object]], str]:
    """A function that takes the text at `path` out of an object; "" where there is none."""
    keys = path.split(".")

    def text(row: Mapping[str, object]) -> str:
        value = column(row, keys)
        return value if isinstance(value, str) else ""

    return text


def column(row: Mapping[str, object], keys: Sequence[str]) -> object:
    """The value behind a path of keys, None if there is none. A key with dots in it wins over a path."""
    whole = ".".join(keys)
    if whole in row:
        return row[whole]
    value: object = row
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return value
