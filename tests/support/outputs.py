"""What a run wrote, read with nothing of the project's own: zstandard and JSON."""

import io
from pathlib import Path
from typing import Any

import orjson
import zstandard


def read_records(directory: Path, *, open_parts: bool = False) -> list[dict[str, Any]]:
    """All records in the parts of a log directory such as `run/data`, in file order."""
    names = sorted(path for path in directory.iterdir() if path.name.endswith(".zst"))
    if open_parts:
        names += sorted(directory.glob("*.part"))
    return [orjson.loads(line) for path in names for line in _raw(path).split(b"\n") if line]


def fingerprint(folder: Path) -> dict[str, bytes]:
    """All files under a folder with their content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _raw(path: Path) -> bytes:
    reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(path.read_bytes()), read_across_frames=True)
    return reader.read()
