"""A dedup job killed at random moments and continued, until it is done: what it leaves must follow from its input."""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from personastream.core import ranges
from personastream.core.outcomes import Outcomes
from personastream.launch.manifest import read_manifest
from personastream.sinks.frames import KINDS, Frames
from tests.support.command import environment
from tests.support.workspace import persona_lines, write_shard

ROOT = Path(__file__).parents[2]
LIFE_S_MAX = 120.0
POLL_S = 0.001
KINDS_OF_FILES = ("jsonl.zst", "jsonl", "jsonl.gz")
BROKEN = (b"{", b"", b'{"persona": 7}', b"\xff")


@dataclass(frozen=True, slots=True)
class Left:
    """All that a finished job leaves, but for what names it: outcomes by shard and log, lines, other files."""

    outcomes: list[Outcomes]
    lines: list[bytes]
    files: dict[str, bytes]


def write_input(folder: Path, random: Random, shards: int, rows: int) -> None:
    """Shards with exact and near copies within and across them, and a few rows that cannot be read."""
    lines: list[bytes] = []
    for shard in range(shards):
        own = persona_lines(rows, seed=shard)
        for place in range(rows):
            chance = random.random()
            if lines and chance < 0.1:
                own[place] = random.choice(lines).upper().replace(b'"PERSONA"', b'"persona"')
            elif lines and chance < 0.2:
                own[place] = random.choice(lines)[:-2] + b' indeed"}'
            elif chance < 0.21:
                own[place] = random.choice(BROKEN)
        lines += [line for line in own if line not in BROKEN]
        kind = KINDS_OF_FILES[shard % len(KINDS_OF_FILES)]
        write_shard(folder / "in" / f"shard-{shard}.{kind}", own, rows_per_frame=random.randint(20, 200))


def start(folder: Path, out: str, *words: str) -> "subprocess.Popen[bytes]":
    """The job under way."""
    command = [sys.executable, "-m", "tests.crash.dedup_life", "dedup", str(folder / "in" / "*.jsonl*")]
    with (folder / "stderr").open("ab") as stderr:
        return subprocess.Popen(
            [*command, "--out", str(folder / out), "--resume", "--progress", "none", *words],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )


def live(folder: Path, out: str, *words: str) -> None:
    """To the end."""
    with start(folder, out, *words) as process:
        code = process.wait(LIFE_S_MAX)
    assert code == 0, f"a life ended with {code}: {(folder / 'stderr').read_text()[-2000:]}"


def live_and_be_killed(folder: Path, out: str, random: Random, kills: int, like: int, words: Sequence[str]) -> int:
    """Kill up to so many times, at any moment of what is left to be written, `like` bytes in all; then finish."""
    killed = 0
    for _ in range(kills):
        before = bytes_written(folder / out)
        if before >= like:
            break
        wanted = before + random.random() * min(like - before, 3 * like / kills)
        with start(folder, out, *words) as process:
            while process.poll() is None and bytes_written(folder / out) < wanted:
                time.sleep(POLL_S)
            time.sleep(random.random() * 0.02)
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
    live(folder, out, *words)
    return killed


def left(folder: Path, out: str) -> Left:
    """What a finished job leaves."""
    manifest = read_manifest(folder / out)
    assert manifest is not None
    sink = Frames(path=str(folder / out))
    sink.attach(manifest.run_id, [shard.stem for shard in manifest.shards])
    sink.recover(repair=False)
    outcomes: list[Outcomes] = []
    lines: list[bytes] = []
    for logs in sink._series:
        for kind in KINDS:
            found = Outcomes()
            for each in logs[kind].outcomes():
                found = _joined(found, each)
            outcomes.append(found)
            lines += logs[kind].lines()
    files = [folder / out / "report.json", *sorted((folder / out).glob("plan/*"))]
    return Left(outcomes, lines, {path.name: path.read_bytes() for path in files})


def _joined(first: Outcomes, second: Outcomes) -> Outcomes:
    return Outcomes(
        _union(first.delivered, second.delivered),
        {
            reason: _union(first.dropped.get(reason, ()), second.dropped.get(reason, ()))
            for reason in sorted({*first.dropped, *second.dropped})
        },
        {
            reason: _union(first.dead.get(reason, ()), second.dead.get(reason, ()))
            for reason in sorted({*first.dead, *second.dead})
        },
    )


def _union(first: ranges.Ranges, second: ranges.Ranges) -> list[ranges.Range]:
    return ranges.union_all((first, second))


def bytes_written(run: Path) -> int:
    """Size of all parts; less, if one gets its last name just now."""
    total = 0
    with suppress(FileNotFoundError):
        for path in run.glob("d*/*"):
            total += path.stat().st_size
    return total
