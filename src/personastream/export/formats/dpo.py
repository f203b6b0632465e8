"""Preference pairs: a prompt with an answer to choose and one to reject, as the trainers for DPO take them."""

from collections.abc import Sequence

from personastream.card.columns import Columns, Row
from personastream.export.conversation import Record, Unfit, question
from personastream.export.format import Format


def columns(sample: Sequence[Record]) -> Columns:
    """Always the same."""
    return {"id": "text", "prompt": "text", "chosen": "text", "rejected": "text", "synthetic": "boolean"}


def row(record: Record, columns: Columns) -> Row:
    """A pair of answers."""
    for name in ("chosen", "rejected"):
        if not isinstance(record.get(name), str) or not record[name]:
            raise Unfit(f"has no `{name}` answer", 'Pairs are made by the recipe "constrained" with answers = "pair".')
    if record["chosen"] == record["rejected"]:
        raise Unfit("has the same answer twice", "Leave such pairs out: --where 'chosen != rejected'")
    pair = {"prompt": question(record), "chosen": record["chosen"], "rejected": record["rejected"]}
    return {"id": record.get("id"), **pair, "synthetic": True}


FORMAT = Format(columns, row, "`id` is the record's, and `synthetic` says that a model wrote it.")
