"""Personas of the input for recipes that bring rows together: the first so many, the same on every sitting."""

from collections.abc import Iterator, Sequence
from itertools import islice, repeat

from personastream.ports import Meeting, Recipe, Source
from personastream.records import NO_LICENCE, Shard


def introduce(recipe: Recipe, source: Source, shards: Sequence[Shard]) -> None:
    """Let a recipe meet those whom it has to know, before the first row. Raises `RunError`."""
    if isinstance(recipe, Meeting) and recipe.strangers:
        known = list(islice(_texts(source, shards), recipe.strangers))
        recipe.meet([text for text, _ in known], [licence for _, licence in known])


def _texts(source: Source, shards: Sequence[Shard]) -> Iterator[tuple[str, str]]:
    """As they are read: what transforms drop depends on all rows before."""
    for shard in shards:
        for batch in source.read(shard, 0):
            yield from zip(batch.texts, batch.licences or repeat(shard.licence or NO_LICENCE), strict=False)
