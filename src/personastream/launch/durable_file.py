"""Small files that are there whole or not at all, whatever happens."""

import os
from pathlib import Path


def replace_durably(path: Path, content: bytes) -> None:
    """Write a file anew, beside the old one first; it is on the disk on return. Raises `OSError`."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
