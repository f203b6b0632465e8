"""What columns well-known data sets have: which holds the text, and which tell where it comes from."""

from typing import NamedTuple


class Preset(NamedTuple):
    """The column that holds the text, and the columns worth keeping beside it."""

    field: str
    keep: tuple[str, ...] = ()


PRESETS = {
    # personas
    "persona_hub": Preset("persona"),
    "elite": Preset("persona", ("general domain (top 1 percent)", "specific domain (top 1 percent)")),
    "finepersonas": Preset("persona", ("id", "labels")),
    "nemotron": Preset("persona", ("uuid",)),
    # texts
    "c4": Preset("text", ("id", "url", "timestamp")),
    "fineweb": Preset("text", ("id", "url")),
    "redpajama": Preset("raw_content", ("doc_id", "url", "digest")),
}
"""Columns that a release does not have are simply not kept: C4 itself has no ids, samples of it do."""
