"""The three columns of the published Persona Hub sets of texts, math, reasoning, instructions, characters and tools.

Interfaces of tools are encoded as in the release: the text is a JSON string that holds the JSON object. Whoever reads
the published set reads these rows by the same code.
"""

from collections.abc import Sequence

import orjson

from personastream.card.columns import Columns, Row
from personastream.export.conversation import Record, Unfit
from personastream.export.format import Format

TOOL = "tool development"
COLUMNS: Columns = {"input persona": "text", "synthesized text": "text", "description": "text"}


def columns(sample: Sequence[Record]) -> Columns:
    """Always the same."""
    return COLUMNS


def row(record: Record, columns: Columns) -> Row:
    """The three texts of a record."""
    found = {name: record.get(name) for name in COLUMNS}
    for name, value in found.items():
        if not isinstance(value, str):
            hint = "Personas go by --format personas, other records by --format jsonl or parquet."
            raise Unfit(f"has no `{name}`", hint)
    if record["description"] == TOOL:
        found["synthesized text"] = orjson.dumps(found["synthesized text"]).decode()
    return found


FORMAT = Format(columns, row, "The published columns have no place for it: rows stand in the order of the records.")
