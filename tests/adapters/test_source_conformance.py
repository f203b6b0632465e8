"""What every source promises, proven for each. A new source adds its line to `SOURCES`."""

import gzip
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

import orjson
import pyarrow
import pytest
import zstandard
from pyarrow.parquet import write_table

from personastream.ports import Source
from personastream.records import Batch
from personastream.sources.jsonl import Jsonl
from personastream.sources.parquet import Parquet
from personastream.sources.run import Run
from personastream.testing import ListSource
from tests.support.written_run import write_run

BAD = "\0 this one cannot be read"
TEXTS = [[f"persona {row} 老师 é" for row in range(23)], ["only one"], ["first", BAD, "last", BAD]]
Make = Callable[[Path], Source]


def encoded(texts: Sequence[str]) -> bytes:
    return b"".join(b"{nonsense\n" if text == BAD else orjson.dumps({"persona": text}) + b"\n" for text in texts)


def jsonl(extension: str, compress: Callable[[bytes], bytes], last_line_feed: bool = True) -> Make:
    def make(folder: Path) -> Source:
        for shard, texts in enumerate(TEXTS):
            content = encoded(texts) if last_line_feed else encoded(texts).rstrip(b"\n")
            (folder / f"{shard}{extension}").write_bytes(compress(content))
        return Jsonl([str(folder / f"*{extension}")], batch_rows=7, index_dir=str(folder))

    return make


def framed(content: bytes) -> bytes:
    """Every line a zstd frame of its own."""
    return b"".join(map(zstandard.ZstdCompressor().compress, content.splitlines(keepends=True)))


def parquet(folder: Path, rows_in_group: int) -> Source:
    for shard, texts in enumerate(TEXTS):
        column = pyarrow.array([None if text == BAD else text for text in texts], pyarrow.string())
        write_table(pyarrow.table({"persona": column}), folder / f"{shard}.parquet", row_group_size=rows_in_group)
    return Parquet([str(folder / "*.parquet")], batch_rows=7)


def in_memory(folder: Path) -> Source:
    unreadable = {(shard, row) for shard, rows in enumerate(TEXTS) for row, text in enumerate(rows) if text == BAD}
    return ListSource(TEXTS, batch_rows=7, unreadable=unreadable)


def run(folder: Path) -> Source:
    """Records of a run that committed its last rows first."""
    shards = {
        f"s{shard}": {row: [{"persona": None if text == BAD else text}] for row, text in enumerate(texts)}
        for shard, texts in enumerate(TEXTS)
    }
    late_first = [("s0", [22, 4]), ("s0", [21, 0, 1]), ("s0", [5, 20]), ("s2", [3])]
    write_run(folder / "earlier", shards, late_first)
    return Run([str(folder / "earlier")], batch_rows=7, index_dir=str(folder))


SOURCES: dict[str, Make] = {
    "ListSource": in_memory,
    "Jsonl": jsonl(".jsonl", bytes),
    "Jsonl without a last line feed": jsonl(".jsonl", bytes, last_line_feed=False),
    "Jsonl, gzip": jsonl(".jsonl.gz", gzip.compress),
    "Jsonl, zstd": jsonl(".jsonl.zst", zstandard.ZstdCompressor().compress),
    "Jsonl, zstd frames": jsonl(".jsonl.zst", framed),
    "Run": run,
    "Parquet, one row group": partial(parquet, rows_in_group=1000),
    "Parquet, row groups": partial(parquet, rows_in_group=5),
}


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    return SOURCES[request.param](tmp_path)


def content(batches: Sequence[Batch]) -> list[tuple[int, str]]:
    """(row, text) of what is alive, and (row, "") of what is dead."""
    alive = chain.from_iterable(zip(batch.numbers, batch.texts, strict=True) for batch in batches)
    dead = ((row.number, "") for batch in batches for row in batch.dead)
    return sorted(chain(alive, dead))


def wanted(shard: int, start: int = 0) -> list[tuple[int, str]]:
    return [(row, "" if text == BAD else text) for row, text in enumerate(TEXTS[shard])][start:]


def test_shards_are_numbered_and_told_apart(source: Source) -> None:
    shards = source.shards()
    assert [shard.index for shard in shards] == list(range(len(TEXTS)))
    assert len({shard.stem for shard in shards}) == len({shard.fingerprint for shard in shards}) == len(TEXTS)
    assert all(shard.size_bytes > 0 for shard in shards)


def test_shards_are_the_same_when_asked_again(source: Source) -> None:
    assert list(source.shards()) == list(source.shards())


def test_batches_follow_one_another_and_the_final_one_says_so(source: Source) -> None:
    for shard in source.shards():
        batches = list(source.read(shard, 0))
        assert [batch.start for batch in batches] == [0, *(batch.stop for batch in batches[:-1])]
        assert [batch.last for batch in batches] == [False] * (len(batches) - 1) + [True]
        assert batches[-1].stop == len(TEXTS[shard.index])
        assert all(batch.shard == shard for batch in batches)


def test_every_row_is_alive_or_dead_in_its_batch(source: Source) -> None:
    for shard in source.shards():
        batches = list(source.read(shard, 0))
        assert content(batches) == wanted(shard.index)
        for batch in batches:
            assert not batch.dropped
            assert list(batch.numbers) == sorted(batch.numbers)
            rows = [*batch.numbers, *(row.number for row in batch.dead)]
            assert sorted(rows) == list(range(batch.start, batch.stop))


def test_dead_rows_say_why(source: Source) -> None:
    dead = [row for batch in source.read(source.shards()[2], 0) for row in batch.dead]
    assert [row.number for row in dead] == [1, 3]
    assert all(row.reason.isidentifier() and row.detail for row in dead)


def test_reading_from_any_row_gives_the_rest(source: Source) -> None:
    for shard in source.shards():
        for start in range(len(TEXTS[shard.index]) + 1):
            batches = list(source.read(shard, start))
            assert batches[0].start == start
            assert batches[-1].last
            assert content(batches) == wanted(shard.index, start)


def test_reading_from_the_end_gives_one_empty_batch(source: Source) -> None:
    for shard in source.shards():
        (batch,) = source.read(shard, len(TEXTS[shard.index]))
        assert (len(batch.numbers), batch.start, batch.last) == (0, len(TEXTS[shard.index]), True)
        assert batch.start == batch.stop


def test_reading_again_gives_the_same(source: Source) -> None:
    shard = source.shards()[0]
    assert content(list(source.read(shard, 5))) == content(list(source.read(shard, 5)))


def test_several_shards_may_be_read_at_once(source: Source) -> None:
    first, second, third = source.shards()
    turns = zip(source.read(first, 0), source.read(third, 0), source.read(second, 0), strict=False)
    assert [batch.shard.index for batch in next(turns)] == [0, 2, 1]


def test_the_bytes_read_grow_to_the_size_of_the_file(source: Source) -> None:
    for shard in source.shards():
        seen = [batch.bytes_read for batch in source.read(shard, 0)]
        assert seen == sorted(seen)
        assert seen[0] >= 0
        assert 0 < seen[-1] <= shard.size_bytes
