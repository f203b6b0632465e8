"""Small file systems of our own, for disks that are full or may not be written to. They need the right to mount."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[Path]:
    """A tmpfs on `folder` with these options; skips the test, saying so, where mounting is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", *(word for option in options for word in ("-o", option)), "none", str(folder)],
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        pytest.skip(f"may not mount a file system: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, but_bytes: int) -> Path:
    """Fill the file system of `folder` with one file, but for so many bytes; returns that file."""
    filler, block = folder / "filler", bytes(4096)
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(block)
        except OSError:
            file.truncate(max(0, file.tell() - but_bytes))
    return filler
