"""The raw, decompressed bytes of a shard from any raw offset on, in pieces of at most `PIECE_BYTES`."""

import zlib
from collections.abc import Iterator

from personastream.core.row_index import Points
from personastream.sources.input_file import PIECE_BYTES, InputFile
from personastream.sources.seek_table import nearest_frame
from personastream.sources.shard_files import extension_of
from personastream.sources.zstd_frames import zstd_pieces

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WBITS = 31  # gzip framing with the widest window
_READ_BYTES = 128 << 10
_TRUNCATED_HINT = "The file is cut short: fetch or write it again."
_DAMAGED_HINT = "Fetch or write the file again; rows taken from this gzip member may be wrong."


def read_pieces(file: InputFile, offset: int, frames: Points) -> Iterator[bytes]:
    """Raw data from raw `offset` to the end, found the quickest way that `frames` and the format allow.

    Adds the zstd frames it meets to `frames`. Raises `BadInput` for damage and for data that ends before `offset`.
    """
    extension = extension_of(file.path)
    if extension == ".jsonl":
        return _plain_pieces(file, offset)
    if extension.endswith(".gz"):
        return _drop(file, _gzip_pieces(file), offset)
    compressed, raw = nearest_frame(file, frames, offset)
    return _drop(file, zstd_pieces(file, compressed, raw, frames), offset - raw)


def _plain_pieces(file: InputFile, offset: int) -> Iterator[bytes]:
    for start in range(offset, file.size_bytes, PIECE_BYTES):
        yield file.read_at(start, PIECE_BYTES)


def _drop(file: InputFile, pieces: Iterator[bytes], count: int) -> Iterator[bytes]:
    """All but the first `count` bytes."""
    for piece in pieces:
        if count < len(piece):
            yield piece[count:]
        count = max(0, count - len(piece))
    if count:
        raise file.bad(file.size_bytes, f"ends {count} raw bytes too early", "Has it changed since the run started?")


def _gzip_pieces(file: InputFile) -> Iterator[bytes]:
    """Every member, one after the other; each one's checksum and length are verified at its end (RFC 1952)."""
    at, data = 0, b""
    while data or at < file.size_bytes:
        start = at - len(data)
        if file.read_at(start, len(_GZIP_MAGIC)) != _GZIP_MAGIC:
            raise file.bad(
                start, "no gzip member starts here", "Is it gzip at all? Cut off what does not belong to it."
            )
        member = zlib.decompressobj(_GZIP_WBITS)
        while not member.eof:
            if not data:
                data = file.read_at(at, _READ_BYTES)
                at += len(data)
            if not data:
                raise file.bad(at, f"ends inside the gzip member that starts at byte {start}", _TRUNCATED_HINT)
            try:
                piece = member.decompress(data, PIECE_BYTES)
            except zlib.error as error:
                raise file.bad(
                    at - len(data), f"damaged gzip member from byte {start}: {error}", _DAMAGED_HINT
                ) from error
            data = member.unconsumed_tail
            file.position = at - len(data)
            if piece:
                yield piece
        data = member.unused_data
