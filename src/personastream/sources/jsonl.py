"""JSON lines from files, plain or compressed: `type = "jsonl"`, the default source.

A pass over a shard leaves a small index of where rows start, so that a later `read` from further on seeks: to the
byte in a plain file, to the frame in a zstd file of many frames. A gzip file, or a zstd file of one frame, has to be
decompressed from its start; its rows are then counted, not parsed.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from personastream.core.lines import Lines, cut_batches, split_lines
from personastream.ports import Stock
from personastream.records import Batch, Shard
from personastream.settings import setting
from personastream.sources.arriving import arrived, look
from personastream.sources.input_file import PIECE_BYTES, InputFile
from personastream.sources.pieces import read_pieces
from personastream.sources.places import open_input
from personastream.sources.row_index_file import RowIndexFile
from personastream.sources.row_settings import RowsFromFiles
from personastream.sources.shard_files import EXTENSIONS, find_shards

BATCH_BYTES_MAX = 4 << 20  # raw; a batch ends with the line that reaches it

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass
class Jsonl(RowsFromFiles):
    """One JSON object a line; the text under `field` is the persona. Files: .jsonl, .jsonl.gz, .jsonl.zst."""

    line_bytes_max: int = setting(
        "A longer line is a dead row.", default=16 << 20, minimum=PIECE_BYTES, maximum=1 << 30
    )
    index_dir: str | None = setting(
        "Where row indexes are kept between runs; nothing depends on them but speed.",
        default=None,
        identity=False,
        path=True,
    )

    def shards(self) -> Sequence[Shard]:
        return self.arrived(()) if self.follow else self.licensed(find_shards(self.paths))

    def look(self) -> Stock:
        return look(self.paths)

    def arrived(self, known: Collection[str]) -> Sequence[Shard]:
        return self.licensed(arrived(self.paths, EXTENSIONS, known))

    def read(self, shard: Shard, start: int) -> Iterator[Batch]:
        with open_input(shard.path, shard.size_bytes) as file:
            course = _Course(file, RowIndexFile(self.index_dir, shard), start)
            for lines, last in cut_batches(course.lines(self.line_bytes_max), self.batch_rows, BATCH_BYTES_MAX):
                if start == 0:
                    lines = lines.without_prefix(_BYTE_ORDER_MARK)
                stop = start + len(lines)
                rows = self.reader.read(lines, start, self.sampled(shard.stem, start, len(lines)))
                yield rows.batch(shard, (start, stop), lines=lines, last=last, bytes_read=course.bytes_before(stop))
                start = stop


class _Course:
    """One way through a shard, from a row to the end. What is learnt about the shard goes into its row index."""

    def __init__(self, file: InputFile, kept: RowIndexFile, start: int) -> None:
        self._file, self._kept, self._start = file, kept, start
        self._rows, self._offset = kept.index.rows.at_label(start)

    def lines(self, line_bytes_max: int) -> Iterator[Lines]:
        index = self._kept.index
        pieces = read_pieces(self._file, self._offset, index.frames)
        for skipped, lines, end in split_lines(pieces, self._offset, self._start - self._rows, line_bytes_max):
            self._rows += skipped + len(lines)
            index.rows.add(self._rows, end)
            self._kept.save_now_and_then()
            yield lines
        self._file.check_unchanged()
        self._kept.save()

    def bytes_before(self, row: int) -> int:
        """About how much of the file lies before a row: what has been read so far, shared out evenly."""
        return self._file.position * row // self._rows if self._rows else 0
