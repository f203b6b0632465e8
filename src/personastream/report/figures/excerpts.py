"""A few records to be read by people: of every length there is, and of different shards."""

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

from personastream.report.records import Item, Text

EXCERPTS = 12
CHARACTERS_MAX = 1_500


def excerpts(items: Sequence[Item], seed: int) -> list[dict[str, Any]]:
    """At most `EXCERPTS` records, shortest first."""
    random = Random(f"{seed}:excerpts")
    ordered = sorted(items, key=lambda item: item.output.characters)
    count = min(EXCERPTS, len(ordered))
    shown: Counter[str] = Counter()
    chosen = []
    for place in range(count):
        slice_ = ordered[place * len(ordered) // count : (place + 1) * len(ordered) // count]
        rarest = min(shown[item.shard] for item in slice_)
        item = random.choice([item for item in slice_ if shown[item.shard] == rarest])
        shown[item.shard] += 1
        chosen.append(_told(item))
    return chosen


def _told(item: Item) -> dict[str, Any]:
    return {
        "id": item.id,
        "input": item.input and _shown(item.input),
        "output": _shown(item.output),
        "model": item.model,
        "finish_reason": item.finish_reason,
    }


def _shown(text: Text) -> dict[str, Any]:
    return {"text": text.text[:CHARACTERS_MAX], "characters": text.characters}
