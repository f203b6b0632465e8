"""The one column of the published personas."""

from collections.abc import Sequence

from personastream.card.columns import Columns, Row
from personastream.export.conversation import Record, Unfit
from personastream.export.format import Format


def columns(sample: Sequence[Record]) -> Columns:
    """Always the same."""
    return {"persona": "text"}


def row(record: Record, columns: Columns) -> Row:
    """The persona of a record."""
    if not isinstance(text := record.get("persona"), str):
        raise Unfit("has no `persona`", "Export a run of the recipes text_to_persona or persona_to_persona.")
    return {"persona": text}


FORMAT = Format(columns, row, "The published column has no place for it: rows stand in the order of the records.")
