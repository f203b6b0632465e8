"""The outer structure of zstd data: frames, blocks, skippable frames and the seekable format's table.

Sources: RFC 8878 sections 3.1 and 3.1.2 for frames and blocks; the seekable format 0.1.0 (facebook/zstd,
contrib/seekable_format) for the table. Nothing is decompressed here.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

FRAME_MAGIC = 0xFD2FB528
SKIPPABLE_MAGIC = 0x184D2A50  # the first of sixteen
SEEK_TABLE_MAGIC = 0x184D2A5E
SEEKABLE_FOOTER_MAGIC = 0x8F92EAB1
FRAME_HEADER_BYTES_MAX = 18
SKIPPABLE_HEADER_BYTES = 8
BLOCK_HEADER_BYTES = 3
BLOCK_BYTES_MAX = 1 << 17
SEEKABLE_FOOTER_BYTES = 9
CHECKSUM_BYTES = 4

_U32 = struct.Struct("<I")
_SKIPPABLE = struct.Struct("<II")
_FOOTER = struct.Struct("<IBI")
_RLE_BLOCK = 1
_RESERVED_BLOCK = 3
_RESERVED_DESCRIPTOR_BIT = 0x08


class FormatError(ValueError):
    """These bytes are not zstd."""


class Truncated(FormatError):
    """The data ends inside a frame."""


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """Header of a zstd frame: its own length in bytes and whether a checksum ends the frame."""

    header_bytes: int
    has_checksum: bool


def is_skippable(magic: int) -> bool:
    """Whether a four-byte magic number starts a skippable frame."""
    return magic & 0xFFFFFFF0 == SKIPPABLE_MAGIC


def read_magic(data: bytes) -> int:
    """The magic number at the start of `data`. Raises `Truncated` below four bytes."""
    if len(data) < _U32.size:
        raise Truncated(f"{len(data)} bytes where a frame should start")
    return int(_U32.unpack_from(data)[0])


def parse_frame_header(data: bytes) -> FrameHeader:
    """Parse the header at the start of `data`, given at least `FRAME_HEADER_BYTES_MAX` bytes unless the data ends.

    Raises `FormatError` for another magic number, `Truncated` if the header is cut.
    """
    if read_magic(data) != FRAME_MAGIC:
        raise FormatError(f"magic number {read_magic(data):#010x} is not a zstd frame's")
    if len(data) < 5:
        raise Truncated("a frame header is cut")
    descriptor = data[4]
    if descriptor & _RESERVED_DESCRIPTOR_BIT:
        raise FormatError("a frame header has the reserved bit set")
    single_segment = bool(descriptor & 0x20)
    dictionary_bytes = (0, 1, 2, 4)[descriptor & 3]
    content_size_bytes = (1 if single_segment else 0, 2, 4, 8)[descriptor >> 6]
    header_bytes = 5 + (0 if single_segment else 1) + dictionary_bytes + content_size_bytes
    if len(data) < header_bytes:
        raise Truncated("a frame header is cut")
    return FrameHeader(header_bytes, bool(descriptor & 0x04))


def parse_block_header(data: bytes) -> tuple[int, bool]:
    """(bytes of the block's body, whether it is the frame's last) for the three bytes at the start of `data`."""
    if len(data) < BLOCK_HEADER_BYTES:
        raise Truncated("a block header is cut")
    word = int.from_bytes(data[:BLOCK_HEADER_BYTES], "little")
    kind, size = (word >> 1) & 3, word >> 3
    if kind == _RESERVED_BLOCK:
        raise FormatError("a block has the reserved type")
    if size > BLOCK_BYTES_MAX:
        raise FormatError(f"a block of {size} bytes is over the limit of {BLOCK_BYTES_MAX}")
    return (1 if kind == _RLE_BLOCK else size), bool(word & 1)


def frame_length(read_at: Callable[[int, int], bytes], offset: int) -> int:
    """Length in bytes of the frame (data or skippable) at `offset`, found by hopping over block headers.

    `read_at(offset, count)` returns up to `count` bytes. Raises `FormatError`; does not look past the headers, so
    a frame whose last block is cut has the length it should have had.
    """
    head = read_at(offset, FRAME_HEADER_BYTES_MAX)
    if is_skippable(read_magic(head)):
        return SKIPPABLE_HEADER_BYTES + skippable_size(head)
    header = parse_frame_header(head)
    end, last = offset + header.header_bytes, False
    while not last:
        size, last = parse_block_header(read_at(end, BLOCK_HEADER_BYTES))
        end += BLOCK_HEADER_BYTES + size
    return end - offset + (CHECKSUM_BYTES if header.has_checksum else 0)


def skippable_size(data: bytes) -> int:
    """Bytes of user data in the skippable frame whose header starts `data`."""
    if len(data) < SKIPPABLE_HEADER_BYTES:
        raise Truncated("a skippable frame's header is cut")
    magic, size = _SKIPPABLE.unpack_from(data)
    if not is_skippable(magic):
        raise FormatError(f"magic number {magic:#010x} is not a skippable frame's")
    return int(size)


def skippable_frame(magic: int, payload: bytes) -> bytes:
    """A whole skippable frame that carries `payload`."""
    return _SKIPPABLE.pack(magic, len(payload)) + payload


def seek_table(frames: Sequence[tuple[int, int]]) -> bytes:
    """A seekable-format table: (compressed bytes, decompressed bytes) of every frame before it, skippable ones too."""
    entries = b"".join(_SKIPPABLE.pack(compressed, raw) for compressed, raw in frames)
    return skippable_frame(SEEK_TABLE_MAGIC, entries + _FOOTER.pack(len(frames), 0, SEEKABLE_FOOTER_MAGIC))


def seek_table_bytes(footer: bytes) -> int | None:
    """Length of the whole table frame if `footer`, a file's last nine bytes, ends one; else None."""
    if len(footer) != SEEKABLE_FOOTER_BYTES:
        return None
    count, descriptor, magic = _FOOTER.unpack(footer)
    if magic != SEEKABLE_FOOTER_MAGIC:
        return None
    entry_bytes = 12 if descriptor & 0x80 else 8
    return int(SKIPPABLE_HEADER_BYTES + count * entry_bytes + SEEKABLE_FOOTER_BYTES)


def parse_seek_table(table: bytes) -> list[tuple[int, int]]:
    """(compressed bytes, decompressed bytes) of every frame named by a whole table frame. Raises `FormatError`."""
    if seek_table_bytes(table[-SEEKABLE_FOOTER_BYTES:]) != len(table) or skippable_size(table) + 8 != len(table):
        raise FormatError("the seek table's lengths disagree")
    if read_magic(table) != SEEK_TABLE_MAGIC:
        raise FormatError("the seek table has another magic number")
    count, descriptor, _ = _FOOTER.unpack(table[-SEEKABLE_FOOTER_BYTES:])
    entry_bytes = 12 if descriptor & 0x80 else 8
    starts = range(SKIPPABLE_HEADER_BYTES, SKIPPABLE_HEADER_BYTES + count * entry_bytes, entry_bytes)
    return [_SKIPPABLE.unpack_from(table, start) for start in starts]
