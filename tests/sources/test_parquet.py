"""Parquet files of every kind, sound, odd, damaged and cut: rows, dead rows, or an error that names the file."""

import random
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow.parquet import ParquetFile, write_table

from personastream.errors import BadInput
from personastream.records import Batch
from personastream.sources.parquet import Parquet


def write(path: Path, columns: dict[str, Any], **options: Any) -> str:
    write_table(pyarrow.table(columns), path, **options)
    return str(path)


def read(path: str, start: int = 0, **settings: Any) -> list[Batch]:
    source = Parquet([path], **settings)
    (shard,) = source.shards()
    return list(source.read(shard, start))


def failure(path: str, **settings: Any) -> BadInput:
    with pytest.raises(BadInput) as caught:
        read(path, **settings)
    assert path in caught.value.message
    assert caught.value.hint
    return caught.value


@pytest.fixture
def path(tmp_path: Path) -> str:
    numbers = range(3000)
    columns = {"persona": [f"persona {number}" for number in numbers], "age": list(numbers)}
    return write(tmp_path / "a.parquet", columns, row_group_size=700, write_page_checksum=True, data_page_size=2000)


@pytest.mark.parametrize(
    "kind",
    [pyarrow.large_string(), pyarrow.binary(), pyarrow.dictionary(pyarrow.int32(), pyarrow.string())],
)
def test_text_of_every_type_is_text(tmp_path: Path, kind: Any) -> None:
    column = pyarrow.array(["a baker", "eine Müllerin", None]).cast(kind)
    (batch,) = read(write(tmp_path / "a.parquet", {"persona": column}))
    assert list(batch.texts) == ["a baker", "eine Müllerin"]
    assert [(row.number, row.reason) for row in batch.dead] == [(2, "not_text")]


@pytest.mark.parametrize("kind", [pyarrow.string(), pyarrow.binary()])
def test_a_cell_that_is_not_utf8_is_a_dead_row(tmp_path: Path, kind: Any) -> None:
    raw = pyarrow.array([b"a baker", b"\xff\xfe broken", b"a nurse"], pyarrow.binary())
    column = pyarrow.Array.from_buffers(kind, 3, raw.buffers())
    path = write(tmp_path / "a.parquet", {"persona": column, "other": column})
    (batch,) = read(path, keep=["other"])
    assert list(batch.texts) == ["a baker", "a nurse"]
    assert [(row.reason, row.text) for row in batch.dead] == [("invalid_utf8", "\ufffd\ufffd broken")]
    assert [dict(origin) for origin in batch.origins] == [{"other": "a baker"}, {"other": "a nurse"}]


def test_columns_of_other_types_are_what_json_can_hold(tmp_path: Path) -> None:
    columns = {
        "persona": ["a baker"],
        "born": [date(1980, 5, 1)],
        "money": [Decimal("12.50")],
        "nested": [{"list": [{"when": date(2000, 1, 1)}], "raw": b"\xff"}],
        "pairs": pyarrow.array([[("k", 1)]], pyarrow.map_(pyarrow.string(), pyarrow.int64())),
    }
    path = write(tmp_path / "a.parquet", columns)
    (batch,) = read(path, keep=["born", "money", "nested", "pairs"], where='born < "1990" and money == 12.5')
    assert batch.origins[0] == {
        "born": "1980-05-01",
        "money": 12.5,
        "nested": {"list": [{"when": "2000-01-01"}], "raw": "\ufffd"},
        "pairs": [["k", 1]],
    }


def test_a_huge_cell_is_a_dead_row(tmp_path: Path) -> None:
    (batch,) = read(write(tmp_path / "a.parquet", {"persona": ["x" * (3 << 20), "é" * 600_000, "fine"]}))
    assert [(row.reason, len(row.text)) for row in batch.dead] == [("text_too_long", 2000)] * 2
    assert batch.texts == ["fine"]


def test_a_table_without_rows_is_one_empty_batch(tmp_path: Path) -> None:
    (batch,) = read(write(tmp_path / "a.parquet", {"persona": pyarrow.array([], pyarrow.string())}))
    assert (batch.start, batch.stop, batch.last) == (0, 0, True)


def test_a_table_without_the_column_is_refused_with_those_it_has(path: str) -> None:
    error = failure(path, field="text")
    assert "has no column 'text'" in error.message
    assert "'persona', 'age'" in error.hint


def test_only_the_needed_columns_and_row_groups_are_read(tmp_path: Path) -> None:
    filler = random.Random(1)
    columns = {"persona": [f"persona {n}" for n in range(4000)], "other": [filler.randbytes(500) for _ in range(4000)]}
    path = Path(write(tmp_path / "a.parquet", columns, row_group_size=1000))
    table, damaged = ParquetFile(path).metadata, bytearray(path.read_bytes())
    for group, column in ((0, 0), (0, 1), (1, 1), (2, 1), (3, 1)):
        chunk = table.row_group(group).column(column)
        start = chunk.dictionary_page_offset or chunk.data_page_offset
        damaged[start : start + chunk.total_compressed_size] = bytes(chunk.total_compressed_size)
    path.write_bytes(damaged)
    batches = read(str(path), 1500)
    assert (batches[0].start, batches[-1].stop, sum(len(batch.texts) for batch in batches)) == (1500, 4000, 2500)
    failure(str(path))


def test_a_file_cut_anywhere_is_an_error(path: str) -> None:
    whole = Path(path).read_bytes()
    for size in (1, 4, 8, 100, len(whole) // 2, len(whole) - 1):
        Path(path).write_bytes(whole[:size])
        assert "cannot be read as Parquet" in failure(path).message


def test_a_flipped_bit_is_an_error_or_changes_nothing(path: str) -> None:
    """Pages carry checksums here; other files have none, and show only what does not decode."""
    whole = Path(path).read_bytes()
    good = [text for batch in read(path) for text in batch.texts]
    place = random.Random(3)
    errors = 0
    for _ in range(150):
        damaged = bytearray(whole)
        damaged[place.randrange(len(whole))] ^= 1 << place.randrange(8)
        Path(path).write_bytes(damaged)
        try:
            assert [text for batch in read(path) for text in batch.texts] == good
        except BadInput:
            errors += 1
    assert errors > 50


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b'{"persona": "x"}\n' * 10)
    assert "cannot be read as Parquet" in failure(str(tmp_path / "a.parquet")).message


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Three row groups of 60 MB each; what reading adds is less than one of them."""
    filler = random.Random(1)
    table = pyarrow.table({"persona": [filler.randbytes(300).hex() for _ in range(100_000)]})
    with pyarrow.parquet.ParquetWriter(tmp_path / "a.parquet", table.schema, compression="zstd") as writer:
        for _ in range(3):
            writer.write_table(table)
    program = (
        "import pathlib, sys\n"
        "from personastream.sources.parquet import Parquet\n"
        "def peak_kib():\n"
        "    return int(pathlib.Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0])\n"
        "source = Parquet([sys.argv[1]])\n"
        "before = peak_kib()\n"
        "print(sum(len(batch.texts) for batch in source.read(source.shards()[0], 0)), peak_kib() - before)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "a.parquet")]
    rows, grown_kib = map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert rows == 300_000
    assert grown_kib < 50 << 10
