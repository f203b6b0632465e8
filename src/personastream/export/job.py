"""An export from first to last: records in, rows out, in constant memory."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import orjson

from personastream.card.columns import Columns
from personastream.core.where import Where
from personastream.errors import BadInput, ConfigError
from personastream.export.card import card
from personastream.export.conversation import Record, Unfit
from personastream.export.destination import CARD, Destination
from personastream.export.files import RowFile, create
from personastream.export.format import SAMPLE_RECORDS, Format
from personastream.export.run_log import RunLog
from personastream.records import NO_LICENCE

FILE_BYTES_MAX = 1 << 30
SAMPLE_BYTES_MAX = 16 << 20  # by which the columns are told
MODELS_MAX = 100

LinedRecord = tuple[bytes, Record]


@dataclass(slots=True)
class Export:
    """One export, of records for which `where` is true and whose id is not in `without`.

    `progress` is told how many bytes of the run are read.
    """

    log: RunLog
    name: str
    format: Format
    destination: Destination
    kind: str
    where: Where | None = None
    file_bytes_max: int = FILE_BYTES_MAX
    without: frozenset[str] = frozenset()
    progress: Callable[[int], None] = lambda bytes_read: None
    records: int = field(init=False, default=0)
    rows: int = field(init=False, default=0)
    files: int = field(init=False, default=0)
    size_bytes: int = field(init=False, default=0)
    _models: Counter[str] = field(init=False, default_factory=Counter)
    _templates: Counter[str] = field(init=False, default_factory=Counter)
    _licences: Counter[str] = field(init=False, default_factory=Counter)

    def run(self, facts: Mapping[str, object], *, replace: bool) -> None:
        """Write everything. Raises `BadInput` for a record that has no place in the format, naming it."""
        if self.kind not in self.format.files:
            raise ConfigError(
                f"the format {self.name} cannot be written to .{self.kind} files",
                hint=f"It goes to {' or '.join(f'.{kind}' for kind in self.format.files)}.",
            )
        with self.destination.writing(replace=replace) as folder:
            records = self._wanted()
            first = _first(records)
            columns = self.format.columns([record for _, record in first])
            self._write(folder, columns, chain(first, records))
            (folder / CARD).write_bytes(self._card(facts, columns))

    def _write(self, folder: Path, columns: Columns, records: Iterator[LinedRecord]) -> None:
        found = next(records, None)
        while found is not None or not self.files:
            with closing(self._next_file(folder, columns)) as file:
                while found is not None and not self._is_full(file):
                    line, record = found
                    file.write(None if self.format.verbatim else self._row(record, columns), line)
                    self.rows += 1
                    found = next(records, None)
            self.size_bytes += file.size_bytes

    def _is_full(self, file: RowFile) -> bool:
        return self.destination.is_folder and file.size_bytes >= self.file_bytes_max

    def _row(self, record: Record, columns: Columns) -> Mapping[str, Any]:
        try:
            return self.format.row(record, columns)
        except Unfit as error:
            raise BadInput(
                f"record {str(record.get('id', '(without id)'))!r} {error}, so it is no row of {self.name}",
                hint=error.hint,
            ) from error

    def _wanted(self) -> Iterator[LinedRecord]:
        for lines in self.log.lines():
            for line in lines:
                record = orjson.loads(line)
                self.records += 1
                if (self.where is None or self.where(record)) and record.get("id") not in self.without:
                    self._count(record)
                    yield line, record
            self.progress(self.log.bytes_read)

    def _count(self, record: Record) -> None:
        if isinstance(meta := record.get("meta"), dict):
            for counter, key in ((self._models, "model"), (self._templates, "template"), (self._licences, "licence")):
                value = str(meta.get(key))
                counter[value if value in counter or len(counter) < MODELS_MAX else "others"] += 1

    def _next_file(self, folder: Path, columns: Columns) -> RowFile:
        self.files += 1
        return create(folder / f"train-{self.files - 1:05d}.{self.kind}", self.kind, columns)

    def _card(self, facts: Mapping[str, object], columns: Columns) -> bytes:
        told = {
            "synthetic": True,
            "format": self.name,
            "rows": self.rows,
            "records read": self.records,
            "run was finished": not self.log.is_open,
            **facts,
            "columns": dict(columns) or "those of the records",
            "models": dict(self._models),
            "templates": dict(self._templates),
            "licences of the sources": dict(self._licences),
        }
        licences = [NO_LICENCE if each in ("None", "others") else each for each in self._licences]
        title = self.destination.out.name
        return card(title=title, rows=self.rows, licences=set(licences), provenance=self.format.provenance, facts=told)


def _first(records: Iterator[LinedRecord]) -> list[LinedRecord]:
    """The records by which the columns are told."""
    found: list[LinedRecord] = []
    held_bytes = 0
    while len(found) < SAMPLE_RECORDS and held_bytes < SAMPLE_BYTES_MAX and (one := next(records, None)) is not None:
        found.append(one)
        held_bytes += len(one[0])
    return found
