"""A shard's file, wherever it lies: read by offset, and watched for change."""

from abc import ABC, abstractmethod
from collections.abc import Hashable
from types import TracebackType
from typing import Self

from personastream.errors import BadInput

PIECE_BYTES = 1 << 20  # raw data is handed on in pieces of at most this size
CHANGED_HINT = "Leave input files alone while a run is on; start a new run if the data has changed."


class InputFile(ABC):
    """A file open for reading, as a context manager; opening it raises `BadInput` for what is not to be read.

    `identity` is the same for two paths to one file; `size_bytes` is its size when opened, `position` is where the
    bytes used last end.
    """

    path: str
    identity: Hashable
    size_bytes: int
    position: int

    @abstractmethod
    def read_at(self, offset: int, count: int) -> bytes:
        """`count` bytes from `offset`, fewer only where the file ended when it was opened. Raises `BadInput`."""

    @abstractmethod
    def check_unchanged(self) -> None:
        """Raise `BadInput` if the file is another by now."""

    @abstractmethod
    def fingerprint(self) -> str:
        """32 hex digits that change with the content."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what is held."""

    def bad(self, offset: int, what: str, hint: str) -> BadInput:
        """The error that something is wrong at a byte of this file."""
        return BadInput(f"{self.path}: byte {offset}: {what}", hint=hint)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def size_problem(path: str, size_bytes: int, expected_bytes: int | None) -> BadInput | None:
    """What is wrong with a file's size, if anything is."""
    if size_bytes == 0:
        return BadInput(
            f"{path}: is empty (0 bytes)", hint="Was it written to the end? If so, leave it out of `paths`."
        )
    if expected_bytes not in (None, size_bytes):
        what = f"has {size_bytes} bytes, but {expected_bytes} when the run was set up"
        return BadInput(f"{path}: {what}", hint=CHANGED_HINT)
    return None


def folder(path: str) -> BadInput:
    """The error that a path leads to a folder."""
    return BadInput(f"{path}: is a folder, not a file", hint=f'To read the files in it, write "{path}/*.jsonl.zst".')
