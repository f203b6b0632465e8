"""Conversations as ShareGPT has them: `conversations`, a list of who speaks (`from`) and what is said (`value`)."""

from collections.abc import Sequence

from personastream.card.columns import Columns, Row
from personastream.export.conversation import Record, conversation
from personastream.export.format import Format

SPEAKERS = {"system": "system", "user": "human", "assistant": "gpt"}


def columns(sample: Sequence[Record]) -> Columns:
    """Always the same."""
    return {"id": "text", "conversations": "turns", "synthetic": "boolean"}


def row(record: Record, columns: Columns) -> Row:
    """A conversation under the record's id."""
    turns = [{"from": SPEAKERS[each["role"]], "value": each["content"]} for each in conversation(record)]
    return {"id": record.get("id"), "conversations": turns, "synthetic": True}


FORMAT = Format(columns, row, "`id` is the record's, and `synthetic` says that a model wrote it.")
