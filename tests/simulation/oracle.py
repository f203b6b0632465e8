"""Knows what must be on the disk, from what the sink has promised so far, and says where the disk disagrees.

It reads files with zstandard and nothing of the log's own code; besides, it asks `sinks/verify`, which must agree.
"""

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import orjson
import zstandard

from personastream.core.frame_log import LogKind
from personastream.core.outcomes import Counts, Usage
from personastream.core.ranges import Ranges
from personastream.ports import Chunk, ShardState
from personastream.sinks.frames import KINDS
from personastream.sinks.verify import Report, Verifier
from tests.simulation.conditions import STEMS
from tests.support.simulated_disk import SimulatedDisk

FRAME_MAGIC = b"\x28\xb5\x2f\xfd"


class Violation(AssertionError):
    """A promise is broken."""


@dataclass(slots=True)
class Log:
    """One log of one shard: the lines promised, the files that may no longer change, the start of the open one."""

    path: str
    lines: list[bytes] = field(default_factory=list)
    sealed: list[bytes] = field(default_factory=list)
    start: bytes = b""

    def name(self, part: int) -> str:
        """A sealed part's file name."""
        return f"{self.path}-{part:05d}.jsonl.zst"

    def take(self, disk: SimulatedDisk) -> None:
        """What is there now is promised to stay. What was promised before must be its beginning."""
        while (content := disk.content(self.name(len(self.sealed)))) is not None:
            self.sealed.append(self._grown(content))
            self.start = b""
        content = disk.content(self.name(len(self.sealed)) + ".part")
        self.start = self._grown(content or b"")

    def check(self, disk: SimulatedDisk) -> None:
        """All that was promised is there."""
        for part, sealed in enumerate(self.sealed):
            demand(disk.content(self.name(part)) == sealed, f"{self.name(part)} has changed or is gone")
        last = self.name(len(self.sealed))
        self._grown(disk.content(last + ".part") or disk.content(last) or b"")

    def _grown(self, content: bytes) -> bytes:
        demand(content.startswith(self.start), f"{self.path}: committed bytes have changed or are gone")
        return content


@dataclass(slots=True)
class Promised:
    """What is promised of one shard: its settled rows, their ends, their cost, and its length once it is finished."""

    rows: set[int] = field(default_factory=set)
    ends: Counter[tuple[str, str]] = field(default_factory=Counter)
    usage: Usage = field(default_factory=Usage)
    length: int | None = None

    def settle(self, chunk: Chunk) -> None:
        """Rows of a commit are settled for ever."""
        new = numbers(chunk.outcomes.settled())
        demand(not new & self.rows, f"rows {sorted(new & self.rows)} settle twice")
        self.rows |= new
        self.ends.update(ends(chunk.outcomes.counts()))
        self.usage += chunk.usage


class Oracle:
    """Is told what is tried and what is promised; checks each restart and the end."""

    def __init__(self, disk: SimulatedDisk, rows: Sequence[int], run_id: str) -> None:
        self._disk = disk
        self._rows = rows
        self._run_id = run_id
        self._shards = [Promised() for _ in rows]
        self._logs: list[dict[LogKind, Log]] = [{kind: Log(f"{kind}/{stem}") for kind in KINDS} for stem in STEMS]
        self._trying: Chunk | None = None
        self._finishing: int | None = None
        self.is_recovering = True

    @contextmanager
    def commit(self, chunk: Chunk) -> Iterator[None]:
        """Around a commit: until it returns, its rows may be settled or not; then they are."""
        self._trying = chunk
        yield
        self._trying = None
        self._promise(chunk)

    @contextmanager
    def finish(self, shard: int) -> Iterator[None]:
        """Around the sealing of a shard."""
        self._finishing = shard
        yield
        self._finishing = None
        self._shards[shard].length = self._rows[shard]
        for kind, log in self._logs[shard].items():
            log.take(self._disk)
            demand(not log.start, f"{kind} of shard {shard} is still open")

    def restarted(self) -> None:
        """The machine is on again; nothing has been mended yet."""
        self.is_recovering = True
        for logs in self._logs:
            for log in logs.values():
                log.check(self._disk)

    def recovered(self, states: Sequence[ShardState]) -> None:
        """Compare what the sink found. What was being tried may be there, whole; then it is settled from now on."""
        self.is_recovering = False
        trying, self._trying = self._trying, None
        finishing, self._finishing = self._finishing, None
        for shard, (state, promised) in enumerate(zip(states, self._shards, strict=True)):
            found = numbers(state.settled)
            demand(found >= promised.rows, f"shard {shard}: rows {sorted(promised.rows - found)} are lost")
            if found > promised.rows:
                demand(trying is not None and trying.shard == shard, f"shard {shard}: {sorted(found)} was never tried")
                assert trying is not None
                self._promise(trying)
            for log in self._logs[shard].values():
                log.take(self._disk)
            demand(found == promised.rows, f"shard {shard}: half of a commit was found")
            demand(+ends(state.counts) == promised.ends, f"shard {shard}: counts are {state.counts}")
            demand(state.usage == promised.usage, f"shard {shard}: the cost is {state.usage}, not {promised.usage}")
            if promised.length is None and state.rows is not None:
                demand(finishing == shard and len(found) == self._rows[shard], f"shard {shard} is finished too early")
                promised.length = self._rows[shard]
            demand(state.rows == promised.length, f"shard {shard} has {state.rows} rows, not {promised.length}")

    def ended(self) -> None:
        """The run is over: every row once, every byte readable, nothing left open."""
        demand(all(promised.length is not None for promised in self._shards), "a shard is unfinished")
        demand(not [name for name in self._disk.files() if not name.endswith(".zst")], "a part is left open")
        report = self.verify()
        demand(not report.notes, f"verify notes {report.notes}")
        demand(report.counts.settled == sum(self._rows), f"verify counts {report.counts}")
        demand(report.usage == sum((promised.usage for promised in self._shards), Usage()), "verify sums another cost")
        for shard, rows in enumerate(self._rows):
            demand(self._shards[shard].rows == set(range(rows)), f"shard {shard}: rows are missing")
            self._read(shard)

    def verify(self) -> Report:
        """What `verify` says. It must find nothing wrong, at any time."""
        verifier = Verifier(self._disk, self._run_id)
        for stem in STEMS[: len(self._rows)]:
            verifier.shard(stem)
        report = verifier.finish()
        demand(not report.problems, f"verify finds {report.problems}")
        return report

    def _promise(self, chunk: Chunk) -> None:
        self._shards[chunk.shard].settle(chunk)
        log = self._logs[chunk.shard][chunk.kind]
        log.lines += chunk.lines
        log.take(self._disk)

    def _read(self, shard: int) -> None:
        """Read a shard's logs as any zstd tool would: the lines promised, in order; each row's own, once."""
        seen: Counter[int] = Counter()
        for log in self._logs[shard].values():
            content = b"".join(log.sealed)
            demand(all(part.startswith(FRAME_MAGIC) for part in log.sealed), f"{log.path}: a part starts with no frame")
            reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(content), read_across_frames=True)
            lines = reader.read().split(b"\n")
            demand(lines.pop() == b"" and lines == log.lines, f"{log.path}: lines differ from those promised")
            ids = [orjson.loads(line)["id"] for line in lines]
            demand(len(ids) == len(set(ids)), f"{log.path}: an id is there twice")
            seen.update({int(identity.rpartition(":")[2].partition("#")[0]) for identity in ids})
        written = self._shards[shard].ends
        demand(max(seen.values(), default=0) <= 1, f"shard {shard}: a row is in both logs")
        demand(len(seen) == sum(written[end] for end in written if end[0] != "dropped"), f"shard {shard}: rows differ")


def numbers(rows: Ranges) -> set[int]:
    """The rows of a set; no row may be in it twice."""
    found = [number for start, stop in rows for number in range(start, stop)]
    demand(len(found) == len(set(found)), f"a row is settled twice: {rows}")
    return set(found)


def ends(counts: Counts) -> Counter[tuple[str, str]]:
    """Counts by end and reason, in one."""
    found = Counter({("delivered", ""): counts.delivered})
    found.update({("dropped", reason): count for reason, count in counts.dropped.items()})
    found.update({("dead", reason): count for reason, count in counts.dead.items()})
    return +found


def demand(holds: bool, otherwise: str) -> None:
    """Raise `Violation` unless it holds."""
    if not holds:
        raise Violation(otherwise)
