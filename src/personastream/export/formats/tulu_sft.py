"""The columns of the Tulu 3 persona sets for supervised fine-tuning; `constraints` where records have them.

An id is `personahub_` and 24 letters and digits, as published; here they are a hash of the record, in hexadecimal, so
that exporting again gives the same ids.
"""

from collections.abc import Sequence

import orjson
import xxhash

from personastream.card.columns import Columns, Row
from personastream.core.columns import column
from personastream.export.conversation import Record, Unfit, conversation, first_question
from personastream.export.format import Format

PERSONA = "input persona"
PREFIX = "personahub_"
_DIGITS = 24


def columns(sample: Sequence[Record]) -> Columns:
    """With `constraints` if the first records have any."""
    kept: Columns = {"id": "text", "prompt": "text", "input_persona": "text", "messages": "messages"}
    return {**kept, "constraints": "texts"} if any(record.get("constraints") for record in sample) else kept


def row(record: Record, columns: Columns) -> Row:
    """A conversation, what it starts with, and the persona it is for."""
    messages = conversation(record)
    found = {
        "id": identity(record),
        "prompt": first_question(messages),
        "input_persona": _persona(record),
        "messages": messages,
    }
    constraints = record.get("constraints")
    if "constraints" in columns:
        return {**found, "constraints": list(map(str, constraints or ()))}
    if constraints:
        raise Unfit(
            "has constraints, as none of the first records had", "Export them apart: --where 'length(constraints) > 0'"
        )
    return found


def _persona(record: Record) -> str:
    """The persona of a record, or the one that the problem which it answers was made for, if that was kept."""
    origin = column(record, ("meta", "origin"))
    for found in (record.get(PERSONA), origin.get(PERSONA) if isinstance(origin, dict) else None):
        if isinstance(found, str):
            return found
    hint = 'Let the stage that answers keep it, [source] keep = ["input persona"]; or use openai_chat or sharegpt.'
    raise Unfit(f"has no `{PERSONA}`", hint)


def identity(record: Record) -> str:
    """The id of a record's row."""
    return PREFIX + xxhash.xxh3_128_hexdigest(orjson.dumps(record, option=orjson.OPT_SORT_KEYS))[:_DIGITS]


FORMAT = Format(columns, row, "The published columns have no place for it, but an id made of the whole record.")
