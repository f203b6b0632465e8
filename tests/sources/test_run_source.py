"""Records of an earlier run as rows: in the order of that run's rows, and only once it is finished."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import orjson
import pytest

from personastream.core import ranges
from personastream.core.outcomes import Outcomes, Usage
from personastream.core.row_order import NumberedLine, RowSpan
from personastream.errors import BadInput, ConfigError
from personastream.launch.manifest import Manifest, write_manifest
from personastream.ports import Chunk
from personastream.records import Batch, Shard
from personastream.sinks.frames import Frames
from personastream.sources import run as run_source
from personastream.sources.finished_run import FinishedRun
from personastream.sources.run import Run
from tests.support.written_run import RUN_ID, write_run


def texts(source: Run, start: int = 0, shard: int = 0) -> list[str]:
    return [text for batch in source.read(source.shards()[shard], start) for text in batch.texts]


def people(rows: Sequence[int], each: int = 1) -> dict[int, list[dict[str, object]]]:
    return {row: [{"persona": f"{row}.{k}", "meta": {"root": f"page:{row}"}} for k in range(each)] for row in rows}


def test_rows_come_in_the_order_of_the_earlier_rows_whatever_was_committed_first(tmp_path: Path) -> None:
    shards = {"a": people([0, 1, 3, 4, 6], each=2)}
    one = write_run(tmp_path / "one", shards, [("a", [6, 0]), ("a", [4])])
    two = write_run(tmp_path / "two", shards, [("a", [3]), ("a", [1, 4])])
    expected = [f"{row}.{k}" for row in (0, 1, 3, 4, 6) for k in range(2)]
    assert texts(Run([str(one)])) == texts(Run([str(two)])) == expected


def test_rows_carry_their_id_and_lineage(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "hop-1", {"a": people([5], each=2)})
    source = Run([str(folder)])
    (batch,) = source.read(source.shards()[0], 0)
    assert batch.shard.stem == "hop-1.00000"
    assert batch.origins == (
        {"id": "a:5#0", "meta.root": "page:5"},
        {"id": "a:5#1", "meta.root": "page:5"},
    )
    assert orjson.loads(batch.lines[1])["persona"] == "5.1"


def test_several_runs_are_read_one_after_the_other(tmp_path: Path) -> None:
    paths = [str(write_run(tmp_path / name, {"a": people([0]), "b": people([1])})) for name in ("x", "y")]
    source = Run(paths)
    assert [shard.stem for shard in source.shards()] == ["x.00000", "x.00001", "y.00000", "y.00001"]
    assert [texts(source, shard=at) for at in range(4)] == [["0.0"], ["1.0"], ["0.0"], ["1.0"]]
    with pytest.raises(ConfigError, match="two runs have a shard"):
        Run([paths[0], paths[0]]).shards()


def test_a_later_start_is_found_without_loading_what_lies_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_source, "SPACING_ROWS", 10)
    folder = write_run(
        tmp_path / "run", {"a": people(range(100), each=2)}, [("a", range(at, at + 10)) for at in range(0, 100, 10)]
    )
    source = Run([str(folder)], index_dir=str(tmp_path / "index"))
    whole = texts(source)
    loaded: list[int] = []
    load = FinishedRun.lines

    def noting(run: FinishedRun, span: RowSpan) -> list[NumberedLine]:
        loaded.append(span.first)
        return load(run, span)

    monkeypatch.setattr(FinishedRun, "lines", noting)
    assert texts(source, 155) == whole[155:]
    assert loaded == [70, 80, 90]


def test_a_run_that_is_not_finished_is_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", {"a": people([0, 1])})
    sink = Frames(path=str(folder))
    sink.attach(RUN_ID, ["a"])
    sink.recover()
    sink.commit(Chunk(0, "dead", [b'{"id":"a:2"}'], Outcomes(dead={"refused": ranges.from_numbers([2])}), Usage()))
    with pytest.raises(BadInput, match=f"the run in {folder} is not finished: see shard a"):
        Run([str(folder)]).shards()


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no run"):
        Run([str(tmp_path)]).shards()
    (tmp_path / "run.json").write_text('{"shards": 7}')
    with pytest.raises(BadInput, match=r"run\.json: is no manifest"):
        Run([str(tmp_path)]).shards()
    with pytest.raises(ConfigError, match="is empty"):
        Run([])


def test_a_damaged_frame_is_named(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", {"a": people(range(50))})
    (part,) = (folder / "data").iterdir()
    content = bytearray(part.read_bytes())
    content[40] ^= 1
    part.write_bytes(content)
    source = Run([str(folder)])
    with pytest.raises(BadInput, match=rf"{part.name}: its frame at byte 0 does not decompress"):
        list(source.read(source.shards()[0], 0))


def test_a_run_that_changes_after_it_was_read_is_refused(tmp_path: Path) -> None:
    shards = {"a": people(range(9))}
    folder = write_run(tmp_path / "run", shards, [("a", [0])])
    source = Run([str(folder)], index_dir=str(tmp_path / "index"))
    assert texts(source) == texts(source)
    folder.rename(tmp_path / "before")
    write_run(folder, shards, [("a", [0, 1, 2])])
    with pytest.raises(BadInput, match=r"shard run\.00000 has changed since it was first read"):
        texts(source)
    assert len(texts(Run([str(folder)]))) == 9


def test_shards_that_are_not_finished_can_be_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_source, "LOOK_S", 0.0)
    folder, sink = tmp_path / "run", Frames(path=str(tmp_path / "run"))
    folder.mkdir()
    write_manifest(folder, Manifest(RUN_ID, "", "0", "job.toml", {}, [Shard(0, "a", "a.jsonl", 1, "f")]))
    sink.attach(RUN_ID, ["a"])
    sink.recover()
    source = Run([str(folder)], wait=True)
    (shard,) = source.shards()
    assert shard.size_bytes == 0
    reading = source.read(shard, 0)
    first, again = next(reading), next(reading)
    assert (first.start, first.stop, first.last, again.stop) == (0, 0, False, 0)
    sink.commit(Chunk(0, "data", [b'{"id":"a:0","persona":"x"}'], Outcomes([(0, 1)]), Usage()))
    assert next(reading).texts == ()
    sink.finish(0, 1)
    assert [(batch.texts, batch.last) for batch in reading] == [(["x"], True)]
    assert source.shards()[0].fingerprint == shard.fingerprint


def test_batches_are_full_but_for_the_last(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", {"a": people(range(23))}, [("a", range(5)), ("a", range(5, 16))])
    source = Run([str(folder)], batch_rows=7)
    batches: list[Batch] = list(islice(source.read(source.shards()[0], 0), 9))
    assert [(batch.start, batch.stop, batch.last) for batch in batches] == [
        (0, 7, False),
        (7, 14, False),
        (14, 21, False),
        (21, 23, True),
    ]
