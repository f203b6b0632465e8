"""Rows that are not wanted are dropped, by every source alike: in Parquet as in JSON Lines, from any row on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow
import pytest
from pyarrow.parquet import write_table

from personastream.errors import ConfigError
from personastream.records import Batch
from personastream.sources.jsonl import Jsonl
from personastream.sources.parquet import Parquet
from personastream.sources.row_settings import RowsFromFiles

ROWS: list[dict[str, Any]] = [
    {
        "persona": None if number % 50 == 7 else " " if number % 50 == 8 else f"persona {number} 老师",
        "age": None if number % 11 == 5 else number % 90,
        "score": number / 7,
        "labels": ["a", "b"] if number % 3 else [],
        "meta": {"root": f"c4:{number}", "hop": number % 4},
        "text": "x" * (2000 if number % 40 == 3 else number % 5 + 1),
    }
    for number in range(700)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    (folder / "rows.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in ROWS))
    write_table(pyarrow.Table.from_pylist(ROWS), folder / "rows.parquet", row_group_size=150)
    return folder


def both(folder: Path, **settings: Any) -> tuple[RowsFromFiles, RowsFromFiles]:
    jsonl, parquet = str(folder / "rows.jsonl"), str(folder / "rows.parquet")
    return Jsonl([jsonl], batch_rows=64, **settings), Parquet([parquet], batch_rows=64, **settings)


def read(source: Any, start: int = 0) -> list[Batch]:
    (shard,) = source.shards()
    return list(source.read(shard, start))


def ends(batches: Sequence[Batch]) -> dict[int, Any]:
    """How each row ended: its text and what is kept beside it, or why it has none."""
    found: dict[int, Any] = {}
    for batch in batches:
        origins: Sequence[object] = batch.origins or [None] * len(batch.numbers)
        found |= {row[0]: row[1:] for row in zip(batch.numbers, batch.texts, origins, strict=True)}
        found |= {row.number: ("dead", row.reason, row.detail) for row in batch.dead}
        found |= {number: ("dropped", reason) for reason, numbers in batch.dropped.items() for number in numbers}
        assert all(numbers == sorted(numbers) for numbers in batch.dropped.values())
    return dict(sorted(found.items()))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"where": 'age >= 30 and not (persona contains "9")'},
        {"where": 'meta.root matches ":.*[05]$" and meta.hop < 2'},
        {"where": 'labels contains "b" or score > 90'},
        {"where": "persona == null"},
        {"where": "nowhere.at.all == null"},
        {"sample": 0.3, "sample_seed": 5},
        {"sample": 0.0},
        {"sample": 1.0},
        {"sample": 0.3, "where": "age < 40", "keep": ["meta.root", "labels", "age", "nowhere"]},
        {"field": "text", "text_bytes_max": 1500, "keep": ["meta"]},
        {"field": "age"},
    ],
)
@pytest.mark.slow
def test_parquet_gives_what_json_lines_give(folder: Path, settings: dict[str, Any]) -> None:
    jsonl, parquet = both(folder, **settings)
    found = ends(read(jsonl))
    assert list(found) == list(range(len(ROWS)))
    assert ends(read(parquet)) == found
    for start in (1, 150, 449, 700):
        rest = {number: end for number, end in found.items() if number >= start}
        assert ends(read(jsonl, start)) == ends(read(parquet, start)) == rest


def test_where_is_asked_before_the_text_is_looked_at(folder: Path) -> None:
    for source in both(folder, where="persona != null and length(persona) > 1"):
        kinds = {end[:2] for end in ends(read(source)).values() if end[0] in ("dead", "dropped")}
        assert kinds == {("dropped", "where")}


def test_a_line_that_cannot_be_read_is_dead_and_not_dropped(tmp_path: Path) -> None:
    deep = b'{"persona": "x", "more": ' + b"[" * 100 + b"]" * 100 + b"}"
    lines = [b"{nonsense", b"[1]", b'"text"', b"", deep, b'{"persona": "fine", "age": 1}', b'{"persona": "not"}']
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
    found = ends(read(Jsonl([str(tmp_path / "a.jsonl")], where="age == 1")))
    reasons = ["invalid_json", "not_an_object", "not_an_object", "blank_line", "too_deep"]
    assert [found[number][1] for number in range(5)] == reasons
    assert (found[5][0], found[6]) == ("fine", ("dropped", "where"))


def test_outside_the_sample_nothing_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"nonsense\n" * 400)
    found = ends(read(Jsonl([str(tmp_path / "a.jsonl")], sample=0.25)))
    dead = [number for number, end in found.items() if end[0] == "dead"]
    assert 60 < len(dead) < 140
    assert all(found[number] == ("dropped", "sample") for number in found if number not in dead)


def test_a_preset_fills_what_is_not_given(tmp_path: Path) -> None:
    elite = {"persona": "a baker", "general domain (top 1 percent)": "Food"}
    (tmp_path / "a.jsonl").write_bytes(orjson.dumps(elite))
    source = Jsonl([str(tmp_path / "a.jsonl")], preset="elite", where='`general domain (top 1 percent)` != "None"')
    assert ends(read(source)) == {0: ("a baker", {"general domain (top 1 percent)": "Food"})}
    assert Jsonl(["x"], preset="c4").field == "text"
    assert Jsonl(["x"], preset="redpajama", field="title").field == "title"
    assert Jsonl(["x"], preset="finepersonas", keep=["labels"]).keep == ["labels"]
    assert (Jsonl(["x"]).field, Jsonl(["x"]).keep) == ("persona", [])


def test_a_wrong_expression_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match="where: character 5: unexpected '='") as caught:
        Jsonl(["x"], where="age = 3")
    assert "Write == to compare." in caught.value.hint
