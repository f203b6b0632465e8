"""What columns well-known data sets have: which holds the text, and which tell where it comes from."""

from typing import NamedTuple


class Preset(NamedTuple):
    """The column that holds the text, the columns worth keeping beside it, and the licence it is published under."""

    field: str
    keep: tuple[str, ...] = ()
    licence: str = ""


PERSONA_HUB = "CC-BY-NC-SA-4.0"
"""https://huggingface.co/datasets/proj-persona/PersonaHub"""

PRESETS = {
    # personas
    "persona_hub": Preset("persona", licence=PERSONA_HUB),
    "elite": Preset("persona", ("general domain (top 1 percent)", "specific domain (top 1 percent)"), PERSONA_HUB),
    "finepersonas": Preset("persona", ("id", "labels"), "LicenseRef-llama3"),
    "nemotron": Preset("persona", ("uuid",), "CC-BY-4.0"),
    # texts
    "c4": Preset("text", ("id", "url", "timestamp"), "ODC-By-1.0"),
    "fineweb": Preset("text", ("id", "url"), "ODC-By-1.0"),
    "redpajama": Preset("raw_content", ("doc_id", "url", "digest")),
}
"""Columns that a release does not have are simply not kept: C4 itself has no ids, samples of it do."""
