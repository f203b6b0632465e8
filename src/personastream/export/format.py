"""What a format is: one function from a record to a row, and the columns of that row."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from personastream.card.columns import Columns, Row
from personastream.export.conversation import Record

NAMES = ("persona_hub", "personas", "tulu_sft", "sharegpt", "openai_chat", "dpo", "parquet", "jsonl")
SAMPLE_RECORDS = 1000
"""Records by which the columns are told, where they depend on the data."""


@dataclass(frozen=True, slots=True)
class Format:
    """`columns` are told from the first records; `row` raises `Unfit`. `provenance` tells where a row's is found.

    With `verbatim`, rows are the records' own lines. `files` are the kinds of files that can hold the rows, the usual
    one first.
    """

    columns: Callable[[Sequence[Record]], Columns]
    row: Callable[[Record, Columns], Row]
    provenance: str
    verbatim: bool = False
    files: tuple[str, ...] = ("jsonl.zst", "jsonl.gz", "jsonl", "parquet")


def load_format(name: str) -> Format:
    """The format of that name, one of `NAMES`."""
    found: Format = importlib.import_module(f"personastream.export.formats.{name}").FORMAT
    return found
