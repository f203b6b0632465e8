"""Where to start reading a zstd file: the frames seen by an earlier pass, or the seek table at the file's end."""

from zstandard import ZstdError, get_frame_parameters

from personastream.core import zstd_format
from personastream.core.row_index import SPACING_BYTES, Points
from personastream.core.zstd_format import FormatError
from personastream.sources.input_file import InputFile

TABLE_BYTES_MAX = 16 << 20  # a larger table, of over a million frames, is left alone


def nearest_frame(file: InputFile, frames: Points, offset: int) -> tuple[int, int]:
    """(compressed offset, raw offset) of the last frame known to start at or before raw `offset`."""
    known = frames.at_offset(offset)
    if offset == 0 or 0 <= offset - known[1] <= 2 * SPACING_BYTES < offset:  # a table costs a look at every frame
        return known
    compressed, raw = 0, 0
    for compressed_bytes, raw_bytes in trusted_entries(file):
        if raw + raw_bytes > offset:
            break
        compressed, raw = compressed + compressed_bytes, raw + raw_bytes
    return max(known, (compressed, raw))


def trusted_entries(file: InputFile) -> list[tuple[int, int]]:
    """(compressed bytes, raw bytes) of every frame, by the file's seek table; [] without a table to trust.

    Trusted is a table that covers the file exactly and says of each frame what that frame's own header says, for to
    that the decoder holds it. A table of frames that do not state their raw size cannot be checked: the index of an
    earlier pass serves instead.
    """
    footer_bytes = zstd_format.SEEKABLE_FOOTER_BYTES
    table_bytes = zstd_format.seek_table_bytes(file.read_at(max(0, file.size_bytes - footer_bytes), footer_bytes))
    if table_bytes is None or table_bytes > min(file.size_bytes, TABLE_BYTES_MAX):
        return []
    end = file.size_bytes - table_bytes
    try:
        entries = zstd_format.parse_seek_table(file.read_at(end, table_bytes))
        offset = 0
        for compressed_bytes, raw_bytes in entries:
            if not _agrees(file.read_at(offset, zstd_format.FRAME_HEADER_BYTES_MAX), compressed_bytes, raw_bytes):
                return []
            offset += compressed_bytes
    except (FormatError, ZstdError):
        return []
    return entries if offset == end else []


def _agrees(head: bytes, compressed_bytes: int, raw_bytes: int) -> bool:
    if zstd_format.is_skippable(zstd_format.read_magic(head)):
        return raw_bytes == 0 and compressed_bytes == zstd_format.SKIPPABLE_HEADER_BYTES + zstd_format.skippable_size(
            head
        )
    return bool(get_frame_parameters(head).content_size == raw_bytes)
