"""The records as they are, one a line, without the commit log around them."""

from collections.abc import Sequence

from personastream.card.columns import Columns, Row
from personastream.export.conversation import Record
from personastream.export.format import Format


def columns(sample: Sequence[Record]) -> Columns:
    """Those of the records."""
    return {}


def row(record: Record, columns: Columns) -> Row:
    """The record itself."""
    return record


FORMAT = Format(
    columns,
    row,
    "Every row is a whole record, with `id`, `synthetic` and `meta`.",
    verbatim=True,
    files=("jsonl.zst", "jsonl.gz", "jsonl"),
)
