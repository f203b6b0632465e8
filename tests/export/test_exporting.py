"""Exports end to end, in this process: which records, in which files, and that they are there whole or not at all."""

import fcntl
import gzip
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet
import pytest
import zstandard

from personastream.core.where import compile_where
from personastream.errors import BadInput, CannotCreate, ConfigError, CorruptOutput, RunBusy, StorageFailed
from personastream.export.destination import Destination
from personastream.export.format import load_format
from personastream.export.job import Export
from personastream.export.run_log import RunLog
from personastream.sinks.disk import OsDisk
from personastream.sinks.frames import Frames
from tests.support.exportable import run_of
from tests.support.outputs import read_records
from tests.support.small_run import data
from tests.support.written_run import RUN_ID

STEMS = ("shard-0", "shard-1")


def export(run: Path, out: Path, name: str = "jsonl", *, force: bool = False, **settings: Any) -> Export:
    destination, form = Destination(out), load_format(name)
    kind = settings.pop("files", None) or destination.kind or form.files[0]
    log = RunLog(OsDisk(str(run)), RUN_ID, settings.pop("stems", STEMS))
    job = Export(log, name, form, destination, kind, **settings)
    job.run({"run": RUN_ID}, replace=force)
    return job


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows of an exported file or folder, read by other code than ours."""
    if path.is_dir():
        return [row for file in sorted(path.glob("train-*")) for row in rows(file)]
    content = path.read_bytes()
    if path.suffix == ".parquet":
        return list(pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist())
    if path.suffix == ".zst":
        content = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(content), read_across_frames=True).read()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    return [orjson.loads(line) for line in content.split(b"\n") if line]


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"run"}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return run_of(tmp_path / "run", "solved")


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "jsonl.zst"])
def test_a_file_of_every_kind_holds_all_records(run: Path, tmp_path: Path, kind: str) -> None:
    job = export(run, tmp_path / f"out.{kind}")
    assert rows(tmp_path / f"out.{kind}") == read_records(run / "data")
    assert (job.records, job.rows, job.files) == (103, 103, 1)
    assert left_in(tmp_path) == {f"out.{kind}", f"out.{kind}.README.md"}
    assert job.size_bytes == (tmp_path / f"out.{kind}").stat().st_size


def test_rows_are_the_same_in_json_lines_and_parquet(run: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"where": compile_where("agreed")}
    export(run, tmp_path / "a.parquet", "tulu_sft", **settings)
    export(run, tmp_path / "a.jsonl", "tulu_sft", **settings)
    assert rows(tmp_path / "a.parquet") == rows(tmp_path / "a.jsonl")


def test_a_folder_holds_files_of_a_size_and_a_card(run: Path, tmp_path: Path) -> None:
    job = export(run, tmp_path / "out", files="jsonl", file_bytes_max=1024)
    assert job.files == len(list((tmp_path / "out").glob("train-*"))) == 1  # pieces are a megabyte
    export(run_of(tmp_path / "more" / "run", "talk", rows=2000), tmp_path / "many", files="jsonl", file_bytes_max=1024)
    assert sorted(path.name for path in (tmp_path / "many").iterdir()) == [
        "README.md",
        "train-00000.jsonl",
        "train-00001.jsonl",
    ]
    assert rows(tmp_path / "many") == read_records(tmp_path / "more" / "run" / "data")


def test_only_records_that_are_wanted_are_exported(run: Path, tmp_path: Path) -> None:
    job = export(
        run, tmp_path / "a.jsonl", "openai_chat", where=compile_where('length(messages) > 0 and split == "train"')
    )
    found = rows(tmp_path / "a.jsonl")
    assert 0 < len(found) == job.rows < job.records
    assert all(row.keys() == {"messages"} for row in found)


def test_an_unfit_record_is_named_and_nothing_is_left(run: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"record 'shard-0:9' has no messages.* so it is no row of sharegpt") as caught:
        export(run, tmp_path / "out", "sharegpt")
    assert "--where" in caught.value.hint
    assert left_in(tmp_path) == set()


@pytest.mark.parametrize("out", ["out", "out.jsonl.zst", "out.jsonl", "out.jsonl.gz", "out.parquet"])
@pytest.mark.slow
def test_no_records_are_an_export_without_rows(run: Path, tmp_path: Path, out: str) -> None:
    job = export(run, tmp_path / out, "openai_chat", where=compile_where("nowhere"))
    assert (job.rows, job.files) == (0, 1)
    assert rows(tmp_path / out) == []


def test_the_card_tells_what_it_is(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "out", "persona_hub")
    card = (tmp_path / "out" / "README.md").read_text()
    assert card.startswith('---\npretty_name: "out"\nlicense: unknown\n')
    assert "\ntags:\n- synthetic\n" in card
    facts = orjson.loads(card.partition("```json")[2].partition("```")[0])
    assert facts["synthetic"] is True
    assert facts["rows"] == facts["models"]["simulated"] == 103
    assert facts["run was finished"] is True
    assert "order of the records" in card


def test_a_kind_of_file_that_the_format_has_not_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"parquet cannot be written to \.jsonl files"):
        export(run, tmp_path / "a.jsonl", "parquet")
    with pytest.raises(ConfigError, match=r"jsonl cannot be written to \.parquet files"):
        export(run, tmp_path / "a.parquet", "jsonl")


@pytest.mark.parametrize("out", ["out", "out.jsonl"])
def test_what_is_there_is_replaced_only_if_asked(run: Path, tmp_path: Path, out: str) -> None:
    export(run, tmp_path / out, where=compile_where("agreed"))
    before = rows(tmp_path / out)
    with pytest.raises(CannotCreate, match="is there already") as caught:
        export(run, tmp_path / out)
    assert "--force" in caught.value.hint
    assert rows(tmp_path / out) == before
    export(run, tmp_path / out, force=True)
    assert len(rows(tmp_path / out)) == 103 > len(before)
    assert len(left_in(tmp_path)) in (1, 2)


def test_what_no_export_made_is_never_replaced(run: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    (tmp_path / "a.jsonl").mkdir()
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "link").symlink_to(tmp_path / "run")
    for out in ("out", "a.jsonl", "file", "link", "run"):
        with pytest.raises(CannotCreate):
            export(run, tmp_path / out, force=True)
    assert (tmp_path / "out" / "thesis.txt").read_text() == "years of work"


def test_what_a_killed_export_left_is_cleared(run: Path, tmp_path: Path) -> None:
    left = tmp_path / ".out.exporting"
    left.mkdir()
    (left / "train-00000.jsonl.zst").write_bytes(b"half")
    export(run, tmp_path / "out")
    assert left_in(tmp_path) == {"out"}


def test_two_exports_to_one_place_do_not_meet(run: Path, tmp_path: Path) -> None:
    busy = tmp_path / ".out.exporting"
    busy.mkdir()
    descriptor = os.open(busy, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(RunBusy):
        export(run, tmp_path / "out")
    os.close(descriptor)
    export(run, tmp_path / "out")


def test_a_place_that_cannot_be_written_is_told(run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotCreate, match="cannot create"):
        export(run, tmp_path / "file" / "out")


def test_a_full_disk_ends_an_export_without_a_trace(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFailed, match="No space left"):
        export(run, tmp_path / "out")
    assert left_in(tmp_path) == set()


def open_run(folder: Path) -> Frames:
    sink = Frames(path=str(folder))
    sink.attach(RUN_ID, ["personas-0", "personas-1"])
    sink.recover()
    for start in range(0, 60, 20):
        sink.commit(data(0, range(start, start + 20)))
    return sink


def test_what_is_committed_of_a_run_under_way_is_exported(tmp_path: Path) -> None:
    open_run(tmp_path / "run")
    (part,) = (tmp_path / "run" / "data").glob("*.part")
    with part.open("ab") as file:
        file.write(b"a torn write")
    job = export(tmp_path / "run", tmp_path / "a.jsonl", stems=("personas-0", "personas-1"))
    assert [row["id"] for row in rows(tmp_path / "a.jsonl")] == [f"personas-0:{row}" for row in range(60)]
    assert job.log.is_open


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_damage_in_an_open_part_is_not_read_past(tmp_path: Path) -> None:
    open_run(tmp_path / "run")
    (part,) = (tmp_path / "run" / "data").glob("*.part")
    flip(part, 4096 + 20)
    with pytest.raises(CorruptOutput, match="damaged at byte 4096"):
        export(tmp_path / "run", tmp_path / "a.jsonl", stems=("personas-0",))
    assert left_in(tmp_path) == set()


@pytest.mark.parametrize("harm", [lambda path: flip(path, 20), lambda path: os.truncate(path, 5000)])
def test_damage_in_a_sealed_part_is_told(run: Path, tmp_path: Path, harm: Callable[[Path], None]) -> None:
    harm(run / "data" / "shard-1-00000.jsonl.zst")
    with pytest.raises(CorruptOutput, match="shard-1-00000"):
        export(run, tmp_path / "a.jsonl")
    assert left_in(tmp_path) == set()


def test_a_missing_part_is_told(run: Path, tmp_path: Path) -> None:
    (run / "data" / "shard-1-00000.jsonl.zst").rename(run / "data" / "shard-1-00001.jsonl.zst")
    with pytest.raises(CorruptOutput, match="missing"):
        export(run, tmp_path / "a.jsonl")
