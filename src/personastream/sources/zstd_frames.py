"""Reading zstd frame by frame, so that truncated, damaged or foreign data is an error and never a silent end.

The zstandard library ends quietly where its input ends, whether or not a frame does. So the blocks of each frame are
walked here by their headers (RFC 8878), and the decoder is handed the bytes of exactly one whole frame at a time.

Two limits of the format. A file cut exactly between two frames looks complete: nothing in it tells otherwise. And
damage inside a block shows for certain only in frames that carry a checksum, and only at their end: rows taken from
such a frame before that may be wrong.
"""

from collections.abc import Iterator
from typing import IO, cast

from zstandard import ZstdDecompressionReader, ZstdDecompressor, ZstdError, get_frame_parameters

from personastream.core import zstd_format
from personastream.core.row_index import Points
from personastream.core.zstd_format import FormatError
from personastream.errors import BadInput
from personastream.sources.input_file import PIECE_BYTES, InputFile

WINDOW_BYTES_MAX = 1 << 27
"""Most memory a frame may ask of the decoder: the limit the zstd command line tool has too."""

_DAMAGED_HINT = "Fetch or write the file again (`zstd -t` checks it); rows taken from this frame may be wrong."
_OTHER_FORMATS = {b"\x1f\x8b": "It looks like gzip: name it .jsonl.gz.", b'{"': "It looks like text: name it .jsonl."}


def zstd_pieces(file: InputFile, compressed: int, raw: int, frames: Points) -> Iterator[bytes]:
    """Raw data from the frame at byte `compressed` on, in whole pieces across frames; only the last may be shorter.

    `raw` is that frame's raw offset; the frames met are added to `frames`. Holds no more than a piece and the
    decoder's window, whatever the compression ratio. Raises `BadInput` naming file and offset.
    """
    decoder = ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX)
    piece, filled = memoryview(bytearray(PIECE_BYTES)), 0
    for frame in _data_frames(file, compressed):
        frames.add(frame.start, raw + filled)
        reader = decoder.stream_reader(cast(IO[bytes], frame), zstd_format.BLOCK_BYTES_MAX, closefd=False)
        # Only the read that returns nothing has seen the checksum.
        while count := _decode(reader, piece[filled:], frame):
            filled += count
            if filled == PIECE_BYTES:
                yield bytes(piece)
                raw, filled = raw + filled, 0
    if filled:
        yield bytes(piece[:filled])


class _Frame:
    """The bytes of the frame at `start`, block by block, as the file-like object that the decoder reads from.

    Once `read` has returned nothing, `end` is the offset behind the frame.
    """

    def __init__(self, file: InputFile, start: int) -> None:
        self.start = self.end = start
        self._file = file
        header = _frame_header(file, start)
        self._body_bytes, self._is_last = header.header_bytes, False
        self._checksum_bytes = zstd_format.CHECKSUM_BYTES if header.has_checksum else 0

    def read(self, _size: int = -1) -> bytes:
        """The frame header or a block's body, together with what follows it: a block header or the checksum."""
        if self._is_last:
            data = self._take(self._body_bytes + self._checksum_bytes)
            self._body_bytes = self._checksum_bytes = 0
            return data
        data = self._take(self._body_bytes + zstd_format.BLOCK_HEADER_BYTES)
        try:
            self._body_bytes, self._is_last = zstd_format.parse_block_header(data[-zstd_format.BLOCK_HEADER_BYTES :])
        except FormatError as error:
            raise self.damaged(str(error)) from error
        return data

    def damaged(self, what: str) -> BadInput:
        return self._file.bad(self.end, f"damaged zstd frame from byte {self.start}: {what}", _DAMAGED_HINT)

    def _take(self, count: int) -> bytes:
        data = self._file.read_at(self.end, count)
        self.end += len(data)
        if len(data) < count:
            raise _truncated(self._file, self.start)
        return data


def _decode(reader: ZstdDecompressionReader, view: memoryview, frame: _Frame) -> int:
    try:
        return reader.readinto(view)
    except ZstdError as error:
        raise frame.damaged(str(error)) from error


def _data_frames(file: InputFile, offset: int) -> Iterator[_Frame]:
    """The frames that hold data, from `offset` on; each must be read to its end before the next is asked for."""
    while offset < file.size_bytes:
        if (skippable_bytes := _skippable_bytes(file, offset)) is None:
            frame = _Frame(file, offset)
            yield frame
            offset = frame.end
        elif offset + skippable_bytes > file.size_bytes:
            raise _truncated(file, offset)
        else:
            offset += skippable_bytes


def _skippable_bytes(file: InputFile, offset: int) -> int | None:
    """Length of the skippable frame at `offset`, None if it is no such frame."""
    head = file.read_at(offset, zstd_format.SKIPPABLE_HEADER_BYTES)
    try:
        if not zstd_format.is_skippable(zstd_format.read_magic(head)):
            return None
        return zstd_format.SKIPPABLE_HEADER_BYTES + zstd_format.skippable_size(head)
    except zstd_format.Truncated as error:
        raise _truncated(file, offset) from error


def _frame_header(file: InputFile, offset: int) -> zstd_format.FrameHeader:
    """The header of the data frame at `offset`, if it is one that can be decoded."""
    head = file.read_at(offset, zstd_format.FRAME_HEADER_BYTES_MAX)
    try:
        header = zstd_format.parse_frame_header(head)
        parameters = get_frame_parameters(head)
    except zstd_format.Truncated as error:
        raise _truncated(file, offset) from error
    except (FormatError, ZstdError) as error:
        hint = _OTHER_FORMATS.get(head[:2], _DAMAGED_HINT) if offset == 0 else _DAMAGED_HINT
        raise file.bad(offset, f"no zstd frame starts here: {error}", hint) from error
    if parameters.dict_id:
        what = f"this frame needs dictionary {parameters.dict_id}"
        raise file.bad(offset, what, "Compress the file again without a dictionary.")
    if parameters.window_size > WINDOW_BYTES_MAX:
        what = f"this frame needs a window of {parameters.window_size} bytes, over the limit of {WINDOW_BYTES_MAX}"
        raise file.bad(offset, what, "Compress the file again with a smaller window (zstd: no --long above 27).")
    return header


def _truncated(file: InputFile, start: int) -> BadInput:
    hint = "The file is cut short, or has stray bytes at its end: fetch or write it again."
    return file.bad(file.size_bytes, f"ends inside the zstd frame that starts at byte {start}", hint)
