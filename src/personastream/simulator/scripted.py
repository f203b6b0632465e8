"""Replies that are known beforehand: JSON lines `{"text": …, "reply": …}`, plain or zstd. A row with that text, a
persona or a problem, gets that reply from whatever prompt it stands in.
"""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import zstandard

from personastream.errors import ConfigError

_HINT = 'Each line is an object such as {"text": "What is 2 + 3?", "reply": "Answer: 5"}.'


def read_replies(path: Path) -> Mapping[str, str]:
    """The reply to each text, as it stands in prompts. Raises `ConfigError`."""
    try:
        with path.open("rb") as file:
            return {_as_asked(row["text"]): str(row["reply"]) for row in _rows(path.name, file)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zstandard.ZstdError) as error:
        raise ConfigError(f"the replies in {path} cannot be read: {error!r}", hint=_HINT) from None


def _rows(name: str, file: BinaryIO) -> Iterator[Any]:
    opened: Any = file
    if name.endswith(".zst"):
        opened = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    for line in io.BufferedReader(opened):
        if line.strip():
            yield orjson.loads(line)


def _as_asked(text: str) -> str:
    """Prompts hold no `<` of a row: see `core/template.py`."""
    return text.strip().replace("<", "‹")
