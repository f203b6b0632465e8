"""Which words of a record are the program's own, and which are somebody else's: for all who look through texts. Pure.

Own words are named one by one. What is not named here counts as foreign, so that nobody's name is overlooked.
"""

import re
from collections.abc import Mapping

OWN_KEYS = frozenset({"id", "description", "synthetic", "meta"})
"""Keys of a record that hold the program's own words, in `meta` all but what is foreign there."""
OWN_META = frozenset(
    {
        *("template", "model", "finish_reason", "usage", "created"),  # of a reply
        *("licence", "screens"),  # codes
        *("root", "parent", "hop"),  # lineage
        *("mode", "demonstrations", "turns", "constraints"),  # settings, and what is drawn of them
        *("relation", "granularity"),  # likewise
    }
)
"""What the engine and recipes say in `meta`. Left are `origin`, columns of the input, and `relationship`, which a model
words as it likes."""

_META = "meta."
_OWN_WITHIN = {
    "messages": frozenset({"role"}),
    "solutions": frozenset({"method", "provider", "model", "finish_reason", "problem"}),
}
"""Columns of a record that are lists of objects, with the keys in these that hold own words."""
_OWN_COLUMNS = frozenset({"split"})
_OWN_OF_LETTERS = frozenset({"id", "reason", "licence", "asked", "meta"})
_OF_SERVICES = frozenset(
    {
        *("id", "object", "type", "model", "role", "created", "service_tier", "system_fingerprint"),
        *("finish_reason", "stop_reason", "usage"),
    }
)
"""Keys in a reply of a service that hold none of what a model says."""
_OUR_ID = re.compile(r".*:\d+(#\d+)?", re.DOTALL)


def is_lineage(column: str) -> bool:
    """Whether a kept column tells where a row comes from."""
    return column == "id" or column.startswith(_META)


def foreign_words(record: Mapping[str, object]) -> dict[str, object]:
    """A record without the program's own words. What does not say that it is `synthetic` is a row as it was read."""
    if record.get("synthetic") is not True:
        return _foreign_columns(record)
    found = {key: _without_own(key, value) for key, value in record.items() if key not in OWN_KEYS | _OWN_COLUMNS}
    if isinstance(meta := record.get("meta"), Mapping):
        found["meta"] = _foreign_meta(meta)
    return found


def foreign_origin(origin: object) -> object:
    """Kept columns without those that are the program's own words about an earlier record."""
    return _foreign_columns(origin) if isinstance(origin, Mapping) else origin


def foreign_words_of_letter(letter: Mapping[str, object], response: object) -> list[object]:
    """A dead letter likewise; `response` is what the service sent, read as JSON where it is that.

    `detail` counts: it may quote what a model said.
    """
    if isinstance(response, Mapping) and response.get("synthetic") is True:
        response = foreign_words(response)
    kept = {key: value for key, value in letter.items() if key not in _OWN_OF_LETTERS and key != "response"}
    return [{**kept, "origin": foreign_origin(letter.get("origin"))}, _said(response)]


def _foreign_columns(columns: Mapping[str, object]) -> dict[str, object]:
    return {
        name: _foreign_meta(value) if name == "meta" and isinstance(value, Mapping) else value
        for name, value in columns.items()
        if not _is_own_column(name, value)
    }


def _foreign_meta(meta: Mapping[str, object]) -> dict[str, object]:
    return {
        key: foreign_origin(value) if key == "origin" else value for key, value in meta.items() if key not in OWN_META
    }


def _is_own_column(name: str, value: object) -> bool:
    if name == "id":
        return isinstance(value, str) and _OUR_ID.fullmatch(value) is not None
    return name.startswith(_META) and name.split(".")[1] in OWN_META


def _without_own(key: str, value: object) -> object:
    own = _OWN_WITHIN.get(key)
    if own is None or not isinstance(value, list):
        return value
    return [
        {name: one for name, one in each.items() if name not in own} if isinstance(each, dict) else each
        for each in value
    ]


def _said(response: object) -> object:
    if isinstance(response, dict):
        return {key: _said(value) for key, value in response.items() if key not in _OF_SERVICES}
    return [_said(each) for each in response] if isinstance(response, list) else response
