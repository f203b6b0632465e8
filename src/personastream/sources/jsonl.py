"""JSON lines from files, plain or compressed: `type = "jsonl"`, the default source.

A pass over a shard leaves a small index of where rows start, so that a later `read` from further on seeks: to the
byte in a plain file, to the frame in a zstd file of many frames. A gzip file, or a zstd file of one frame, has to be
decompressed from its start; its rows are then counted, not parsed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from personastream.core.lines import Line, cut_batches, split_lines
from personastream.core.rows import RowReader
from personastream.records import Batch, Shard
from personastream.settings import setting
from personastream.sources.input_file import PIECE_BYTES, InputFile
from personastream.sources.pieces import read_pieces
from personastream.sources.row_index_file import RowIndexFile
from personastream.sources.shard_files import find_shards

BATCH_BYTES_MAX = 4 << 20  # raw; a batch ends with the line that reaches it

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Jsonl:
    """One JSON object a line; the text under `field` is the persona."""

    paths: list[str] = setting(  # noqa: RUF009 - `setting` makes a field, not a shared list
        "Files or globs: .jsonl, .jsonl.gz, .jsonl.zst. Globs are sorted by name.", path=True
    )
    field: str = setting("The key that holds the persona text.", default="persona")
    batch_rows: int = setting("Rows read at a time.", default=1024, minimum=1, maximum=65_536, identity=False)
    line_bytes_max: int = setting(
        "A longer line is a dead row.", default=16 << 20, minimum=PIECE_BYTES, maximum=1 << 30
    )
    text_bytes_max: int = setting("A longer persona text is a dead row.", default=1 << 20, minimum=1, maximum=1 << 30)
    index_dir: str | None = setting(
        "Where row indexes are kept between runs; nothing depends on them but speed.",
        default=None,
        identity=False,
        path=True,
    )

    def shards(self) -> Sequence[Shard]:
        return find_shards(self.paths)

    def read(self, shard: Shard, start: int) -> Iterator[Batch]:
        reader = RowReader(self.field, self.text_bytes_max)
        for lines, last in cut_batches(self._lines(shard, start), self.batch_rows, BATCH_BYTES_MAX):
            if start == 0 and lines and isinstance(lines[0], bytes):
                lines[0] = lines[0].removeprefix(_BYTE_ORDER_MARK)
            stop = start + len(lines)
            numbers, texts, dead = reader.read(lines, start)
            yield Batch(shard, start, stop, numbers, texts, dead=dead, last=last)
            start = stop

    def _lines(self, shard: Shard, start: int) -> Iterator[list[Line]]:
        """The lines of a shard from row `start` on. What is learnt about it on the way is saved."""
        file_of_index = RowIndexFile(self.index_dir, shard)
        index = file_of_index.index
        with InputFile(shard.path, shard.size_bytes) as file:
            row, offset = index.rows.at_label(start)
            pieces = read_pieces(file, offset, index.frames)
            for group in split_lines(pieces, offset, start - row, self.line_bytes_max):
                row += group.skipped + len(group.lines)
                index.rows.add(row, group.end)
                file_of_index.save_now_and_then()
                yield group.lines
            file.check_unchanged()
            file_of_index.save()
