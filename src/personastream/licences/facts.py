"""What is known of licences and terms: `facts.toml`, read once. Its own head says what the keys mean."""

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any, Literal

Permission = Literal["yes", "no", "conditions"]


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one licence, or of the terms of one service. `hub` is what the Hugging Face Hub calls it."""

    id: str
    url: str
    hub: str
    commercial: Permission = "yes"
    derivatives: Literal["yes", "no", "same"] = "yes"
    training: Permission = "yes"
    says: str = ""
    same: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


@cache
def all_facts() -> dict[str, Facts]:
    """By their ids."""
    document = tomllib.loads((files("personastream.licences") / "facts.toml").read_text("utf-8"))
    return {name: _facts(name, table) for name, table in document.items()}


def _facts(name: str, table: dict[str, Any]) -> Facts:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    return Facts(name, **values)


@cache
def by_name() -> dict[str, str]:
    """Ids by what people write for them, in lower case: the id itself, the Hub's word, other names."""
    words: dict[str, str] = {}
    for each in all_facts().values():
        for word in (*each.names, *([] if each.hub == "other" else [each.hub]), each.id):
            words[word.lower()] = each.id
    return words


def facts_of(licence: str) -> Facts | None:
    """What is known of a licence by its id, None if nothing is."""
    return all_facts().get(licence)


def terms_by_model(model: str) -> str:
    """Whose terms a well-known model is under, by its name; "" for others. A name is a hint, no proof."""
    name = model.lower()
    for each in all_facts().values():
        if any(fnmatchcase(name, pattern) for pattern in each.models):
            return each.id
    return ""
