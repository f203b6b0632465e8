"""Lines for fine-tuning chat models at OpenAI and all that take its format: `messages`, and nothing else is allowed."""

from collections.abc import Sequence

from personastream.card.columns import Columns, Row
from personastream.export.conversation import Record, conversation
from personastream.export.format import Format


def columns(sample: Sequence[Record]) -> Columns:
    """Always the same."""
    return {"messages": "messages"}


def row(record: Record, columns: Columns) -> Row:
    """A conversation."""
    return {"messages": conversation(record)}


FORMAT = Format(columns, row, "Services refuse other keys than `messages`: rows stand in the order of the records.")
