"""An input file as the file-like object that libraries read from."""

import io

from personastream.sources.input_file import InputFile


class Stream(io.RawIOBase):
    """Reads and seeks; errors of the file come through as they are. Closing it leaves the file open."""

    def __init__(self, file: InputFile) -> None:
        self._file, self._at = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset, counted from the start, from here or from the end."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size_bytes}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """Up to `size` bytes, or all that are left; fewer only at the end."""
        left = max(0, self._file.size_bytes - self._at)
        data = self._file.read_at(self._at, left if size is None or size < 0 else min(size, left))
        self._at += len(data)
        return data
