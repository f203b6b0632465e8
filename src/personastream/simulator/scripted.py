"""Replies that are known beforehand: JSON lines `{"text": …, "reply": …}`, plain or zstd. A row with that text, a
persona or a problem, gets that reply from whatever prompt it stands in.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import zstandard

from personastream.errors import ConfigError

_HINT = 'Each line is an object such as {"text": "What is 2 + 3?", "reply": "Answer: 5"}.'


def read_replies(path: Path) -> Mapping[str, str]:
    """The reply to each text, as it stands in prompts. Raises `ConfigError`."""
    try:
        return {_as_asked(row["text"]): str(row["reply"]) for row in _rows(path)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zstandard.ZstdError) as error:
        raise ConfigError(f"the replies in {path} cannot be read: {error!r}", hint=_HINT) from None


def _rows(path: Path) -> Iterator[Any]:
    data = path.read_bytes()
    if path.name.endswith(".zst"):
        data = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
    for line in data.split(b"\n"):
        if line.strip():
            yield orjson.loads(line)


def _as_asked(text: str) -> str:
    """Prompts hold no `<` of a row: see `core/template.py`."""
    return text.strip().replace("<", "‹")
