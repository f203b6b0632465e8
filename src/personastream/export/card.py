"""The card of an export: what it is, where each row comes from, and that models wrote it.

In a folder it is a data set card. It does not list the files: `datasets.load_dataset` finds those named train-* by
itself, and, were they listed, would take files of an earlier export for these from its cache.
"""

from collections.abc import Collection, Mapping

from personastream.card.front_matter import front_matter
from personastream.card.quoting import json_block


def card(*, title: str, rows: int, licences: Collection[str], provenance: str, facts: Mapping[str, object]) -> bytes:
    """The card as Markdown. What people and models wrote stands in it as JSON only."""
    text = [
        front_matter(title, rows, licences),
        "# Synthetic data, exported by personastream",
        "",
        "Language models wrote every row. Before using it, mind the terms of those models and the licences of the",
        "sources; check it for the benchmarks that you want to measure with it.",
        "",
        f"Provenance: {provenance}",
        "",
        json_block(facts),
        "",
        "A fuller card, with Croissant metadata and lineage: `personastream card RUN --out` this folder.",
        "",
    ]
    return "\n".join(text).encode()
