"""Images of tables: their lines as they stand in memory, protected against damage and against mix-ups.

    magic 8 bytes · version u32 · key bits u32 · tables u32 · for each: lines u64, entries u64 · xxh3-64 of all that
    for each table: its lines of 16 u32, little-endian · xxh3-64 of them

The head has its own checksum, so that a damaged length is never believed. An image ends where its lengths say; it may
be followed by something else.
"""

import io
import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64

_MAGIC = b"psexact\n"
_VERSION = 2
_HEAD = struct.Struct("<8sIII")
_TABLE = struct.Struct("<QQ")
_TABLES_MAX = 64
_CHECKSUM_BYTES = 8
_PIECE_BYTES = 1 << 24

Table = NDArray[np.uint32]


class ImageDamaged(ValueError):
    """This is not a whole image of such an index: build the index anew."""


def write_image(file: BinaryIO, bits: int, tables: Sequence[tuple[Table, int]]) -> None:
    """Append an image of tables, each given with the number of its entries, to `file`."""
    head = _HEAD.pack(_MAGIC, _VERSION, bits, len(tables))
    head += b"".join(_TABLE.pack(len(lines), used) for lines, used in tables)
    file.write(head + xxh3_64(head).digest())
    for lines, _ in tables:
        checksum = xxh3_64()
        for piece in _pieces(lines):
            checksum.update(piece)
            file.write(piece)
        file.write(checksum.digest())


def read_image(file: io.BufferedIOBase, bits: int) -> list[tuple[Table, int]]:
    """The tables, and how many entries each has. Raises `ImageDamaged`; else leaves `file` at the image's end."""
    fixed = _read(file, _HEAD.size)
    magic, version, found_bits, count = _HEAD.unpack(fixed)
    if magic != _MAGIC or version != _VERSION or count > _TABLES_MAX:
        raise ImageDamaged("this is not an image of an exact index of this version")
    lengths = _read(file, count * _TABLE.size)
    if _read(file, _CHECKSUM_BYTES) != xxh3_64(fixed + lengths).digest():
        raise ImageDamaged("the head of an image of an exact index is damaged")
    if found_bits != bits:
        raise ImageDamaged(f"the image holds keys of {found_bits} bits, not {bits}")
    return [(_read_lines(file, lines), used) for lines, used in _TABLE.iter_unpack(lengths)]


def _read_lines(file: io.BufferedIOBase, count: int) -> Table:
    from personastream.dedup.jit import empty_lines

    lines = empty_lines(count)
    checksum = xxh3_64()
    for piece in _pieces(lines):
        if file.readinto(piece) != len(piece):
            raise ImageDamaged("an image of an exact index ends early")
        checksum.update(piece)
    if _read(file, _CHECKSUM_BYTES) != checksum.digest():
        raise ImageDamaged("a checksum of an image of an exact index is wrong")
    return lines


def _pieces(lines: Table) -> Iterator[memoryview]:
    data = lines.reshape(-1).view(np.uint8).data
    for start in range(0, len(data), _PIECE_BYTES):
        yield data[start : start + _PIECE_BYTES]


def _read(file: io.BufferedIOBase, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise ImageDamaged("an image of an exact index ends early")
    return data
