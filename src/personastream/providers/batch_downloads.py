"""What comes back of a batch, on its way to the disk: in any size, and with the key struck out."""

from collections.abc import AsyncIterable, Sequence
from typing import BinaryIO

from personastream.errors import Unavailable

REDACTED = b"[key]"


class Download:
    """Writes what is fed to it to `file`, without the `secrets`, in lines. Raises `Unavailable` beyond `bytes_max`."""

    def __init__(self, file: BinaryIO, secrets: Sequence[bytes], bytes_max: int) -> None:
        self._file, self._secrets, self._bytes_max = file, secrets, bytes_max
        self._held_back = max(map(len, secrets), default=1) - 1
        self._size_bytes = 0

    async def add(self, pieces: AsyncIterable[bytes]) -> None:
        """Append one document, whose last line may lack its line feed."""
        rest, last = b"", b"\n"
        async for piece in pieces:
            rest = self._redacted(rest + piece)
            cut = max(0, len(rest) - self._held_back)  # a secret may come in two pieces
            last = self._write(rest[:cut]) or last
            rest = rest[cut:]
        last = self._write(rest) or last
        if last != b"\n":
            self._write(b"\n")

    def _redacted(self, content: bytes) -> bytes:
        for secret in self._secrets:
            content = content.replace(secret, REDACTED)
        return content

    def _write(self, content: bytes) -> bytes:
        """Its last byte."""
        self._size_bytes += len(content)
        if self._size_bytes > self._bytes_max:
            raise Unavailable(f"the answers take more than answers_bytes_max = {self._bytes_max} bytes")
        self._file.write(content)
        return content[-1:]
