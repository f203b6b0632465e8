"""What a record says of itself, whichever recipe wrote it, in one form. Nothing is taken for granted: it is data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

TEXT_CHARACTERS_MAX = 20_000
"""Longer texts are looked at up to here; how long they are is told all the same."""

_OUTPUTS = ("synthesized text", "persona", "text")


@dataclass(frozen=True, slots=True)
class Text:
    """A text, cut at `TEXT_CHARACTERS_MAX`, and how long it is in whole."""

    text: str
    characters: int


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a persona comes from: hops from a text, the ids of what it began with and of what it was made of."""

    hop: int
    root: str
    parent: str
    relation: str


@dataclass(frozen=True, slots=True)
class Item:
    """One sampled record. `share` is its part of its commit's usage; all sampled records of a commit add up to 1."""

    id: str
    shard: str
    input: Text | None
    output: Text
    model: str
    template: str
    finish_reason: str
    created_s: float | None
    tokens: int
    lineage: Lineage | None
    whole: Mapping[str, Any]


def parse(line: bytes, shard: str) -> Item | None:
    """The record in a line; None for what is no object or holds no text."""
    try:
        whole = orjson.loads(line)
    except ValueError:
        return None
    if not isinstance(whole, dict):
        return None
    output = _output(whole)
    if output is None:
        return None
    meta = whole.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    return Item(
        id=_text(whole.get("id")),
        shard=shard,
        input=next(
            (_cut(value) for key, value in whole.items() if key.startswith("input ") and isinstance(value, str)), None
        ),
        output=_cut(output),
        model=_text(meta.get("model")),
        template=_text(meta.get("template")),
        finish_reason=_text(meta.get("finish_reason")),
        created_s=_seconds(meta.get("created")),
        tokens=_tokens(meta.get("usage")),
        lineage=_lineage(whole, meta),
        whole=whole,
    )


def _output(whole: Mapping[str, Any]) -> str | None:
    for name in _OUTPUTS:
        if isinstance(whole.get(name), str):
            return str(whole[name])
    texts = [value for key, value in whole.items() if isinstance(value, str) and key not in ("id", "description")]
    return max(texts, key=len, default=None)


def _lineage(whole: Mapping[str, Any], meta: Mapping[str, Any]) -> Lineage | None:
    hop = meta.get("hop")
    if not isinstance(hop, int) or isinstance(hop, bool) or "persona" not in whole:
        return None
    relation = meta.get("relation", meta.get("relationship"))
    return Lineage(hop, _text(meta.get("root")), _text(meta.get("parent")), _text(relation))


def _cut(text: str) -> Text:
    return Text(text[:TEXT_CHARACTERS_MAX], len(text))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _tokens(usage: object) -> int:
    if not isinstance(usage, dict):
        return 0
    return sum(
        value for value in usage.values() if isinstance(value, int) and not isinstance(value, bool) and value > 0
    )


def _seconds(value: object) -> float | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def iso(seconds: float) -> str:
    """A moment as records write it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def outputs(items: Sequence[Item]) -> list[str]:
    """The texts that were made."""
    return [item.output.text for item in items]


def inputs(items: Sequence[Item]) -> list[str]:
    """The texts that they were made of, where records hold them."""
    return [item.input.text for item in items if item.input is not None]
