"""A small run's output, written by the real sink: two shards with records, drops and dead letters in several parts."""

from collections.abc import Iterable

from personastream.core import ranges
from personastream.core.outcomes import Outcomes, Usage
from personastream.ports import Chunk
from personastream.sinks.disk import Disk
from personastream.sinks.frames import Frames
from personastream.sinks.verify import Report, Verifier

RUN_ID = "run-1"
STEMS = ("personas-0", "personas-1")
ROWS = 40
PART_BYTES_MAX = 8192


def sink_on(disk: Disk, *, run_id: str = RUN_ID, stems: Iterable[str] = STEMS, part_bytes_max: int = 8192) -> Frames:
    """The sink, attached but not recovered."""
    sink = Frames(path="", part_bytes_max=part_bytes_max, compression_level=1)
    sink.attach(run_id, list(stems), disk)
    return sink


def data(shard: int, numbers: Iterable[int], dropped: Iterable[int] = (), text: str = "") -> Chunk:
    """A commit of one record for each row, and of dropped rows."""
    numbers, dropped = list(numbers), list(dropped)
    lines = [f'{{"id":"{STEMS[shard]}:{n}","text":"{text}"}}'.encode() for n in numbers]
    drops = {"exact": ranges.from_numbers(dropped)} if dropped else {}
    outcomes = Outcomes(ranges.from_numbers(numbers), drops)
    return Chunk(shard, "data", lines, outcomes, Usage(len(numbers), 100 * len(numbers), 7))


def dead(shard: int, numbers: Iterable[int]) -> Chunk:
    """A commit of dead letters."""
    numbers = list(numbers)
    lines = [f'{{"id":"{STEMS[shard]}:{n}","reason":"length"}}'.encode() for n in numbers]
    return Chunk(shard, "dead", lines, Outcomes(dead={"length": ranges.from_numbers(numbers)}), Usage(len(numbers)))


def commit_rows(sink: Frames, shard: int, rows: range) -> None:
    """Settle rows, five a commit: of ten rows one is dropped and one dead."""
    for start in range(rows.start, rows.stop, 5):
        group = range(start, min(start + 5, rows.stop))
        kept = [n for n in group if n % 10 not in (3, 7)]
        sink.commit(data(shard, kept, [n for n in group if n % 10 == 3]))
        if dying := [n for n in group if n % 10 == 7]:
            sink.commit(dead(shard, dying))


def write_run(disk: Disk, *, finished: int = len(STEMS)) -> Frames:
    """Write both shards; the last of them stays open unless both are to be `finished`."""
    sink = sink_on(disk, part_bytes_max=PART_BYTES_MAX)
    sink.recover()
    for shard in range(len(STEMS)):
        commit_rows(sink, shard, range(ROWS))
        if shard < finished:
            sink.finish(shard, ROWS)
    return sink


def verified(disk: Disk, *, run_id: str = RUN_ID, stems: Iterable[str] = STEMS) -> Report:
    """What `verify` says of it."""
    verifier = Verifier(disk, run_id)
    for stem in stems:
        verifier.shard(stem)
    return verifier.finish()
