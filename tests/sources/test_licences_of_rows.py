"""The licence of each row, as sources read it: from a column, else that of the shard."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pyarrow
import pyarrow.parquet
import pytest

from personastream.core.dead_letter import dead_letter
from personastream.records import NO_LICENCE, Batch, DeadRow
from personastream.sources.jsonl import Jsonl
from personastream.sources.parquet import Parquet
from tests.support.workspace import write_shard

ROWS: list[dict[str, Any]] = [
    {"persona": "A nurse", "info": {"licence": "cc-by-4.0"}},
    {"persona": "A judge", "info": {"licence": None}},
    {"persona": " ", "info": {"licence": "mit"}},
    {"persona": "A cook", "info": {"licence": "\x1b[31m|`nobody` knows \u202e it"}},
]


def read(source: Jsonl | Parquet) -> Batch:
    (shard,) = source.shards()
    (batch,) = source.read(shard, 0)
    return batch


@pytest.mark.parametrize("licence", [None, "CC0-1.0"])
def test_a_row_names_its_licence_or_has_that_of_its_file(tmp_path: Path, licence: str | None) -> None:
    path = write_shard(tmp_path / "a.jsonl", map(orjson.dumps, ROWS))
    batch = read(Jsonl([str(path)], licence=licence, licence_field="info.licence"))
    other = licence or NO_LICENCE
    assert batch.numbers == [0, 1, 3]
    assert list(batch.licences) == ["CC-BY-4.0", other, "LicenseRef-31m-nobody-knows-it"]
    assert batch.only([False, True, True]).licences == (other, "LicenseRef-31m-nobody-knows-it")
    assert batch.shard.licence == (licence or "")


def test_parquet_reads_the_same(tmp_path: Path) -> None:
    flat = [{"persona": row["persona"], "licence": row["info"]["licence"]} for row in ROWS]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(flat), tmp_path / "a.parquet")
    batch = read(Parquet([str(tmp_path / "a.parquet")], licence="MIT", licence_field="licence"))
    assert batch.numbers == [0, 1, 3]
    assert list(batch.licences) == ["CC-BY-4.0", "MIT", "LicenseRef-31m-nobody-knows-it"]


def test_a_source_without_such_a_column_reads_nothing_more(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "a.jsonl", map(orjson.dumps, ROWS))
    source = Jsonl([str(path)], licence="cc-by-nc-sa-4.0")
    assert source.reader.is_plain
    batch = read(source)
    assert not batch.licences
    assert batch.shard.licence == "CC-BY-NC-SA-4.0"
    assert replace(source).licence == source.licence


def test_a_dead_letter_keeps_the_licence_for_when_the_row_is_asked_again() -> None:
    row = DeadRow(3, "length", "cut", "A nurse", licence="CC-BY-4.0")
    letter = orjson.loads(dead_letter("a", row, asked=True))
    assert letter["licence"] == "CC-BY-4.0"
    unknown = dead_letter("a", row._replace(licence=NO_LICENCE), asked=True)
    assert "licence" not in orjson.loads(unknown)
