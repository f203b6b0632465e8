"""Personas of the input for recipes that bring rows together: the first so many, the same on every sitting."""

from collections.abc import Iterator, Sequence
from itertools import islice

from personastream.ports import Meeting, Recipe, Source
from personastream.records import Shard


def introduce(recipe: Recipe, source: Source, shards: Sequence[Shard]) -> None:
    """Let a recipe meet those whom it has to know, before the first row. Raises `RunError`."""
    if isinstance(recipe, Meeting) and recipe.strangers:
        recipe.meet(list(islice(_texts(source, shards), recipe.strangers)))


def _texts(source: Source, shards: Sequence[Shard]) -> Iterator[str]:
    """As they are read: what transforms drop depends on all rows before."""
    for shard in shards:
        for batch in source.read(shard, 0):
            yield from batch.texts
