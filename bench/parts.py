"""Where the engine's CPU goes: the same run with one part left out, in one process, nothing asked over a network.

    python -m bench.parts [--rounds 7] [--rows 20000] [--in-flight 64]

The provider answers at once, so everything measured is the engine's own. A part's cost is the difference to the
whole, between two sizes, all variants taking turns. Single steps are timed alone, against an empty loop. The last
line is one JSON object; figures are microseconds of CPU per row, of all threads.
"""

import argparse
import gc
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from bench.configuration import INSTANT, write_config
from bench.machine import report, say, spread
from bench.personas import write_shard
from personastream.config import load
from personastream.core.outcomes import Counts, Usage
from personastream.core.ranges import Ranges
from personastream.engine.statistics import Statistics
from personastream.launch.inline import run_config
from personastream.observe.progress import Display
from personastream.ports import Chunk, ShardState
from personastream.records import DeadLetter
from personastream.settings import setting
from personastream.sinks.disk import Disk, OsDisk, OsFile
from personastream.sinks.frames import Frames

SMALL_ROWS = 2_000
STEPS = 2_000


@dataclass
class Nowhere:
    """A sink that forgets: no compression, no file, no sync."""

    path: str = setting("The run directory; nothing but the manifest gets there.", path=True)
    commit_rows_max: int = field(init=False, default=4096)
    commit_bytes_max: int = field(init=False, default=1 << 20)
    commit_interval_s: float = field(init=False, default=5.0)
    _shards: int = field(init=False, default=0)

    def attach(self, run_id: str, shards: Sequence[str]) -> None:
        self._shards = len(shards)

    def recover(self) -> list[ShardState]:
        return [ShardState([], Counts(), Usage(), None) for _ in range(self._shards)]

    def commit(self, chunk: Chunk) -> None:
        """Forget it."""

    def finish(self, shard: int, rows: int) -> None:
        """Nothing is left to do."""

    def revive(self, shard: int, rows: Mapping[str, Ranges]) -> None:
        """Nobody is remembered."""

    def letters(self, shard: int) -> Iterator[DeadLetter]:
        return iter(())


class UnsyncedFile(OsFile):
    """A file whose content may be lost."""

    def sync(self) -> None:
        """Trust the kernel."""


class UnsyncedDisk(OsDisk):
    """The real files, never made durable."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self._folder = Path(root)

    def create(self, name: str) -> OsFile:
        return UnsyncedFile(str(self._folder / name), os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_RDWR)

    def open(self, name: str, *, writable: bool = True) -> OsFile:
        return UnsyncedFile(str(self._folder / name), os.O_APPEND | os.O_RDWR if writable else os.O_RDONLY)


@dataclass
class Unsynced(Frames):
    """The real sink without fdatasync."""

    def attach(self, run_id: str, shards: Sequence[str], disk: Disk | None = None) -> None:
        super().attach(run_id, shards, disk or UnsyncedDisk(self.path))


@dataclass(frozen=True, slots=True)
class Variant:
    """A run with something left out: which transforms, whether limits are set, which sink."""

    transforms: Sequence[str] = ("dedup",)
    limits: bool = True
    sink: str = "frames"


VARIANTS: Mapping[str, Variant] = {
    "whole": Variant(),
    "dedup": Variant(transforms=()),
    "limits": Variant(limits=False),
    "sync": Variant(sink="bench.parts:Unsynced"),
    "commits": Variant(sink="bench.parts:Nowhere"),
}
ADDED: Mapping[str, Variant] = {"near_dedup": Variant(transforms=("dedup", "near_dedup"))}


def cpu_s(variant: Variant, shard: Path, in_flight: int) -> float:
    """CPU seconds of one run in this process."""
    with tempfile.TemporaryDirectory(prefix="bench-parts-") as folder:
        path = write_config(
            Path(folder, "run.toml"),
            [shard],
            provider=INSTANT,
            in_flight=in_flight,
            transforms=variant.transforms,
            limits=variant.limits,
        )
        config = load(str(path), [f"sink.type={variant.sink}"])
        gc.collect()
        before_s = time.process_time()
        run_config(config, resume=False, progress=Display("none", Path(folder, "run")))
        return time.process_time() - before_s


def costs(shards: Mapping[int, Path], rounds: int, in_flight: int) -> dict[str, list[float]]:
    """Microseconds per row of every variant, round by round."""
    small, large = sorted(shards)
    variants = {**VARIANTS, **ADDED}
    found: dict[str, list[float]] = {name: [] for name in variants}
    for variant in variants.values():
        cpu_s(variant, shards[small], in_flight)
    for number in range(rounds):
        for name, variant in variants.items():
            taken_s = cpu_s(variant, shards[large], in_flight) - cpu_s(variant, shards[small], in_flight)
            found[name].append(taken_s / (large - small) * 1e6)
        say(f"round {number}: " + ", ".join(f"{name} {each[-1]:.1f}" for name, each in found.items()))
    return found


def step_us(step: Callable[[], object], rounds: int = 200) -> float:
    """Microseconds of one call, the fastest of many rounds."""

    def fastest(call: Callable[[], object]) -> float:
        times = []
        for _ in range(rounds):
            started = time.perf_counter_ns()
            for _ in range(STEPS):
                call()
            times.append(time.perf_counter_ns() - started)
        return min(times) / STEPS / 1e3

    return round(fastest(step) - fastest(lambda: None), 3)


async def steps() -> dict[str, float]:
    """Single steps of one request."""
    counted = Statistics()

    def count() -> None:
        number = counted.requests = counted.requests + 1
        counted.under_way[number] = 0.0
        del counted.under_way[number]
        counted.answered += 1
        counted.latency.observe(0.5)
        counted.input_tokens += 231
        counted.output_tokens += 104

    return {
        "anyio.current_time": step_us(anyio.current_time),
        "time.monotonic": step_us(time.monotonic),
        "statistics of one request": step_us(count),
    }


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--in-flight", type=int, default=64)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-parts-") as folder:
        sizes = (SMALL_ROWS, SMALL_ROWS + options.rows)
        shards = {rows: write_shard(Path(folder, f"rows-{rows}.jsonl.zst"), 0, rows) for rows in sizes}
        found = costs(shards, options.rounds, options.in_flight)
    whole = found.pop("whole")
    parts = {
        name: spread([(one - all_) * (1 if name in ADDED else -1) for one, all_ in zip(each, whole, strict=True)])
        for name, each in found.items()
    }
    median = statistics.median(whole)
    shares = {name: round(part["median"] / median, 3) for name, part in parts.items()}
    report("parts", {"whole_us": spread(whole), "part_us": parts, "share": shares, "step_us": anyio.run(steps)})


if __name__ == "__main__":
    main()
