"""Parquet files: `type = "parquet"`, for rows in columns, as most published data sets have them.

Only the columns that are needed are read, a batch at a time: memory is that of a page of each. A later `read` from
further on starts at the row group that holds its row. A row is what the same row of a JSON Lines file would be: a
null, a cell that holds no text, one that is empty, too long or no UTF-8 is a dead row with the same reason.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING, Any

from personastream.core.rows import EXCERPT_CHARACTERS_MAX, Fault, Rows
from personastream.errors import BadInput, ConfigError, RunError
from personastream.ports import Stock
from personastream.records import Batch, DeadRow, Origin, Shard
from personastream.sources.arriving import arrived, look
from personastream.sources.arrow_cells import cells
from personastream.sources.input_file import InputFile
from personastream.sources.places import open_input
from personastream.sources.row_settings import RowsFromFiles
from personastream.sources.shard_files import PARQUET, find_shards
from personastream.sources.stream import Stream

if TYPE_CHECKING:
    from pyarrow import RecordBatch
    from pyarrow.parquet import ParquetFile

BUFFER_BYTES = 1 << 20  # of each column
METADATA_ITEMS_MAX = 16 << 20  # a footer with longer texts or lists than this is garbage, not to be held in memory

_DAMAGED_HINT = "The file is damaged or cut short: fetch or write it again."


@dataclass
class Parquet(RowsFromFiles):
    """One row of a Parquet file a row; the text in the column `field` is the persona. Files: .parquet."""

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            import pyarrow.parquet  # noqa: F401 - to say at once that it is missing
        except ImportError as error:
            what = 'type = "parquet" needs pyarrow'
            raise ConfigError(what, hint="pip install 'personastream[parquet]'") from error

    def shards(self) -> Sequence[Shard]:
        return self.arrived(()) if self.follow else self.licensed(find_shards(self.paths, PARQUET))

    def look(self) -> Stock:
        return look(self.paths)

    def arrived(self, known: Collection[str]) -> Sequence[Shard]:
        return self.licensed(arrived(self.paths, PARQUET, known))

    def read(self, shard: Shard, start: int) -> Iterator[Batch]:
        with open_input(shard.path, shard.size_bytes) as file:
            table = _open(file, self.field)
            at, rows_all = start, table.metadata.num_rows
            for found in self._batches(file, table, start):
                rows = self._rows(shard, found, at)
                at += found.num_rows
                yield _batch(shard, at - found.num_rows, at, rows, rows_all)
            if at < rows_all:
                raise BadInput(f"{file.path}: has {at} rows, but its footer tells of {rows_all}", hint=_DAMAGED_HINT)
            if at == start:
                yield _batch(shard, start, start, Rows([], [], []), rows_all)
            file.check_unchanged()

    def _batches(self, file: InputFile, table: "ParquetFile", start: int) -> Iterator["RecordBatch"]:
        """The rows from `start` on, `batch_rows` at a time, in the columns that are needed."""
        groups, skip = _groups_from(table, start)
        looked_at = self.reader.where.columns if self.reader.where else ()
        columns = [self.field, *self.keep, *map(".".join, looked_at), *filter(None, [self.licence_column])]
        with _damage(file):
            found = table.iter_batches(self.batch_rows, row_groups=groups, columns=columns, use_threads=False)
        while True:
            with _damage(file):
                batch = next(found, None)
            if batch is None:
                return
            if skip < batch.num_rows:
                yield batch.slice(skip)
            skip = max(0, skip - batch.num_rows)

    def _rows(self, shard: Shard, batch: "RecordBatch", start: int) -> Rows:
        numbers: Sequence[int] = range(start, start + batch.num_rows)
        sample = self.sampled(shard.stem, start, batch.num_rows)
        if not sample or all(sample):
            return self._read(batch, numbers)
        import pyarrow

        rows = self._read(batch.filter(pyarrow.array(sample)), list(compress(numbers, sample)))
        outside = [number for number, wanted in zip(numbers, sample, strict=True) if not wanted]
        return rows._replace(dropped={"sample": outside, **rows.dropped})

    def _read(self, batch: "RecordBatch", numbers: Sequence[int]) -> Rows:
        texts = cells(batch.column(self.field), keep_bytes=True)
        if self.reader.is_plain and self._all_sound(texts):
            return Rows(numbers, texts, [])
        columns = {name: cells(batch.column(name)) for name in batch.schema.names if name != self.field}
        return self._read_each(texts, columns, numbers)

    def _all_sound(self, texts: list[Any]) -> bool:
        """Whether each is a text that will do: none has more characters than fit whatever they are."""
        try:
            return all(map(str.strip, texts)) and max(map(len, texts), default=0) <= self.text_bytes_max // 4
        except TypeError:
            return False

    def _fault(self, row: dict[str, Any], text: object) -> Fault | None:
        if isinstance(text, str) and len(text) <= self.text_bytes_max // 4 and text.strip():
            return None
        if isinstance(text, bytes):
            return Fault("invalid_utf8", f"field {self.field!r} is not UTF-8")
        judged = self.reader.judge_text(row)
        return judged if isinstance(judged, Fault) else None

    def _read_each(self, texts: list[Any], columns: dict[str, list[Any]], numbers: Sequence[int]) -> Rows:
        keep, where, field, licence = self.reader.keep, self.reader.where, self.field, self.reader.licence
        alive, sound, dead, unwanted = list[int](), list[str](), list[DeadRow](), list[int]()
        origins, licences = list[Origin](), list[str]()
        names = tuple(columns)
        for number, text, *others in zip(numbers, texts, *columns.values(), strict=True):
            row = dict(zip(names, others, strict=True))
            row[field] = text
            if where is not None and not where(row):
                unwanted.append(number)
                continue
            if (fault := self._fault(row, text)) is not None:
                dead.append(DeadRow(number, *fault, _excerpt(text)))
                continue
            alive.append(number)
            sound.append(text)
            if keep is not None:
                origins.append(keep(row))
            if licence is not None:
                licences.append(licence(row))
        dropped = {"where": unwanted} if unwanted else {}
        return Rows(alive, sound, dead, tuple(origins), tuple(licences), dropped)


def _batch(shard: Shard, start: int, stop: int, rows: Rows, rows_all: int) -> Batch:
    bytes_read = shard.size_bytes * min(stop, rows_all) // rows_all if rows_all else shard.size_bytes
    return rows.batch(shard, (start, stop), last=stop >= rows_all, bytes_read=bytes_read)


def _open(file: InputFile, field: str) -> "ParquetFile":
    """The file as a table that has the column. Raises `BadInput`."""
    from pyarrow.parquet import ParquetFile

    with _damage(file):
        table = ParquetFile(
            Stream(file),
            buffer_size=BUFFER_BYTES,
            pre_buffer=False,
            page_checksum_verification=True,
            thrift_string_size_limit=METADATA_ITEMS_MAX,
            thrift_container_size_limit=METADATA_ITEMS_MAX,
        )
        names = table.schema_arrow.names
    if field not in names:
        shown = ", ".join(map(repr, names[:20]))
        raise BadInput(f"{file.path}: has no column {field!r}", hint=f"`field` in [source] may be one of {shown}.")
    return table


def _groups_from(table: "ParquetFile", start: int) -> tuple[list[int], int]:
    """The row groups that hold the rows from `start` on, and how many rows of them come before it."""
    first = 0
    for group in range(table.num_row_groups):
        rows = table.metadata.row_group(group).num_rows
        if first + rows > start:
            return list(range(group, table.num_row_groups)), start - first
        first += rows
    return [], 0


@contextmanager
def _damage(file: InputFile) -> Iterator[None]:
    """What pyarrow says of a file that it cannot read; errors of reading its bytes are told as they are."""
    try:
        yield
    except RunError:
        raise
    except Exception as error:  # of several kinds, some of them OSError, some ValueError
        what = " ".join(str(error).split())[:300]
        raise BadInput(f"{file.path}: cannot be read as Parquet: {what}", hint=_DAMAGED_HINT) from error


def _excerpt(value: object) -> str:
    if isinstance(value, bytes):
        return value[: 4 * EXCERPT_CHARACTERS_MAX].decode("utf-8", "replace")[:EXCERPT_CHARACTERS_MAX]
    if isinstance(value, str):
        return value[:EXCERPT_CHARACTERS_MAX]
    return "" if value is None else repr(value)[:EXCERPT_CHARACTERS_MAX]
