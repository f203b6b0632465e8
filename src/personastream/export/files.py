"""The files that rows are written to: JSON Lines, plain or compressed, and Parquet. In constant memory."""

import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import orjson
import zstandard

from personastream.card.columns import Columns, Kind, Row
from personastream.errors import ConfigError

KINDS = ("jsonl", "jsonl.gz", "jsonl.zst", "parquet")
PIECE_BYTES = 1 << 20  # of lines, that are compressed together: zstd frames of this size let readers seek
GROUP_BYTES = 8 << 20  # of lines, that become one row group
_GZIP_WBITS = 31


class RowFile(Protocol):
    """A file under way. `size_bytes` is what has been written of it so far."""

    size_bytes: int

    def write(self, row: Row | None, line: bytes) -> None:
        """Add a row: the record's line itself if `row` is None. The line's length tells about how large a row is."""

    def close(self) -> None:
        """Write what is held and make the file durable."""


def kind_of(name: str) -> str | None:
    """The kind of file that a name tells, None for none of them."""
    return next((kind for kind in sorted(KINDS, key=len, reverse=True) if name.endswith(f".{kind}")), None)


def create(path: Path, kind: str, columns: Columns) -> RowFile:
    """A new file at a path that is not there yet. Raises `ConfigError` if a package is missing, or `OSError`."""
    return ParquetFile(path, columns) if kind == "parquet" else LinesFile(path, kind)


class LinesFile:
    """JSON Lines."""

    def __init__(self, path: Path, kind: str) -> None:
        self.size_bytes = 0
        self._file = path.open("xb")
        self._compress, self._end = _compression(kind)
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0

    def write(self, row: Row | None, line: bytes) -> None:
        encoded = line if row is None else orjson.dumps(row)
        self._waiting.append(encoded)
        self._waiting_bytes += len(encoded) + 1
        if self._waiting_bytes >= PIECE_BYTES:
            self._flush()

    def close(self) -> None:
        with self._file:
            self._flush()
            if not self.size_bytes:  # no file is empty: tools take those for broken ones
                self._put(self._compress(b""))
            self._put(self._end())
            self._file.flush()
            os.fsync(self._file.fileno())

    def _flush(self) -> None:
        if self._waiting:
            self._put(self._compress(b"\n".join((*self._waiting, b""))))
            self._waiting, self._waiting_bytes = [], 0

    def _put(self, data: bytes) -> None:
        self.size_bytes += len(data)
        self._file.write(data)


def _compression(kind: str) -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
    """What becomes of each piece of lines, and what ends the file."""
    if kind == "jsonl.zst":
        return zstandard.ZstdCompressor(level=3, write_checksum=True).compress, bytes
    if kind == "jsonl.gz":
        stream = zlib.compressobj(6, zlib.DEFLATED, _GZIP_WBITS)
        return stream.compress, stream.flush
    return bytes, bytes


class ParquetFile:
    """Parquet, compressed with zstd, a row group for every so many rows."""

    def __init__(self, path: Path, columns: Columns) -> None:
        try:
            import pyarrow
            from pyarrow.parquet import ParquetWriter
        except ImportError as error:
            raise ConfigError("Parquet needs pyarrow", hint="pip install 'personastream[parquet]'") from error
        self.size_bytes = 0
        self._table = pyarrow.Table
        self._schema = pyarrow.schema([(name, _arrow_type(kind)) for name, kind in columns.items()])
        self._file = path.open("xb")
        self._writer = ParquetWriter(self._file, self._schema, compression="zstd", write_page_checksum=True)
        self._rows: list[Row] = []
        self._rows_bytes = 0

    def write(self, row: Row | None, line: bytes) -> None:
        self._rows.append(orjson.loads(line) if row is None else row)
        self._rows_bytes += len(line)
        if self._rows_bytes >= GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        with self._file:
            with self._writer:
                self._flush()
            self.size_bytes = self._file.tell()
            self._file.flush()
            os.fsync(self._file.fileno())

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(self._table.from_pylist(self._rows, self._schema))
            self.size_bytes = self._file.tell()
            self._rows, self._rows_bytes = [], 0


def _arrow_type(kind: Kind) -> Any:
    import pyarrow

    text = pyarrow.string()
    types: dict[Kind, Any] = {
        "text": text,
        "json": text,
        "boolean": pyarrow.bool_(),
        "integer": pyarrow.int64(),
        "number": pyarrow.float64(),
        "texts": pyarrow.list_(text),
        "messages": pyarrow.list_(pyarrow.struct([("role", text), ("content", text)])),
        "turns": pyarrow.list_(pyarrow.struct([("from", text), ("value", text)])),
    }
    return types[kind]
