"""One run in several lives: killed at random moments, resumed, and in the end compared with an undisturbed run."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from personastream.core.zstd_format import SEEKABLE_FOOTER_MAGIC
from personastream.launch.manifest import read_manifest
from personastream.sinks.disk import OsDisk
from personastream.sinks.verify import Report, Verifier
from tests.crash.jobs import COMMIT_ROWS_MAX, IN_FLIGHT_MAX, KINDS, ROWS, Variant
from tests.support.command import environment, personastream
from tests.support.outputs import read_records
from tests.support.simulated import Simulated

LIFE_S_MAX = 120.0
LOST_PER_KILL_MAX = IN_FLIGHT_MAX + COMMIT_ROWS_MAX
"""Requests that a kill may make worth nothing: those in flight, and the rows of one commit."""

START_SHARE = 0.2
"""Of all kills, those that come at any moment of the start; the others wait for some of the work to be done."""
POLL_S = 0.002
DELAY_S_MAX = 0.02
"""A kill follows what it waited for by up to so much, about the time between two commits."""

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Ends:
    """How every row ended, by id, without time stamps; how many were dropped, by reason."""

    delivered: dict[str, Any]
    dead: dict[str, Any]
    dropped: dict[str, int]


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """A run that nobody killed: what came of it, how long it takes to start, how much it writes."""

    ends: Ends
    start_s: float
    bytes_written: int


@dataclass(slots=True)
class Story:
    """What happened to one run. `lost` is, of each kill, the requests that settled no row; `hit`, what it left."""

    variant: Variant
    config: Path
    lost: list[int] = field(default_factory=list)
    hit: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        """How often it was killed."""
        return len(self.hit)


def live_undisturbed(config: Path) -> Undisturbed:
    """Run to the end, then once more with nothing left to do, for the time that a start takes."""
    for _ in range(2):
        before_s = time.monotonic()
        with _life(config) as process:
            code = process.wait(LIFE_S_MAX)
        assert code == 0, f"an undisturbed life ended with {code}: {_last_words(config)}"
        start_s = time.monotonic() - before_s
    return Undisturbed(read_ends(config), start_s, _bytes_written(config))


def live_and_be_killed(
    config: Path, variant: Variant, random: Random, kills_max: int, like: Undisturbed, server: Simulated
) -> Story:
    """Kill a run up to `kills_max` times, let it finish, and compare it with an undisturbed one."""
    story = Story(variant, config)
    for _ in range(kills_max):
        arrived, before = server.stats()["arrivals"], report(config).counts
        if not _killed(config, random, like):
            break
        story.hit.append(_state(config))
        if not variant.has_faults:
            gained = report(config).counts.delivered - before.delivered
            story.lost.append(_arrivals(server) - arrived - gained)
    with _life(config) as process:
        code = process.wait(LIFE_S_MAX)
    story.problems += _problems(config, like) if code == 0 else [f"it ended with {code}: {_last_words(config)}"]
    story.problems += [f"a kill cost {lost} requests" for lost in story.lost if lost > LOST_PER_KILL_MAX]
    return story


def read_ends(config: Path) -> Ends:
    """How the rows of a finished run ended, read from its files with nothing but zstandard and JSON."""
    logs = []
    for name in ("data", "dead"):
        records = read_records(config.parent / "run" / name)
        by_id = {record["id"]: record for record in records}
        assert len(by_id) == len(records), f"{name}/ holds a row twice"
        logs.append(by_id)
    for record in logs[0].values():
        del record["meta"]["created"]
    return Ends(logs[0], logs[1], dict(report(config).counts.dropped))


def report(config: Path) -> Report:
    """What a verification finds; nothing for a run that has not begun."""
    run = config.parent / "run"
    manifest = read_manifest(run)
    if manifest is None:
        return Report()
    verifier = Verifier(OsDisk(str(run)), manifest.run_id)
    for shard in manifest.shards:
        verifier.shard(shard.stem)
    return verifier.finish()


def _problems(config: Path, like: Undisturbed) -> Iterator[str]:
    """All that is wrong with a run that has finished."""
    verified = personastream("verify", config.parent / "run")
    if verified.code != 0 or "note " in verified.out:
        yield f"verify ended with {verified.code}: {verified.out}"
    counts = report(config).counts
    if counts.settled != ROWS:
        yield f"{counts.settled} of {ROWS} rows have an outcome"
    ends = read_ends(config)
    for name in ("delivered", "dead", "dropped"):
        ours, theirs = getattr(ends, name), getattr(like.ends, name)
        unlike = sorted(key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key))
        if unlike:
            yield f"{name} is not as in an undisturbed run, in {len(unlike)} places: {unlike[:3]}"
    left = [path.name for path in (config.parent / "run").rglob("*.part")]
    if left:
        yield f"left behind: {left}"


def _killed(config: Path, random: Random, like: Undisturbed) -> bool:
    """One life, killed while it starts or at some point of its work; False if it ended by itself before."""
    dies_s = time.monotonic() + random.uniform(0, like.start_s)
    written = _bytes_written(config)
    enough = random.uniform(written, max(written, like.bytes_written)) if random.random() > START_SHARE else 0.0
    with _life(config) as process:
        while process.poll() is None:
            if time.monotonic() >= dies_s and _bytes_written(config) >= enough:
                time.sleep(random.uniform(0, DELAY_S_MAX))
                process.kill()
                return process.wait() < 0
            time.sleep(POLL_S)
    assert process.returncode == 0, f"a life ended with {process.returncode}, not killed: {_last_words(config)}"
    return False


@contextmanager
def _life(config: Path) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "tests.crash.life", "run", str(config), "--resume", "--progress", "none"]
    with (
        config.with_name("stderr").open("ab") as stderr,
        subprocess.Popen(command, cwd=_ROOT, env=environment(), stdin=subprocess.DEVNULL, stderr=stderr) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def _last_words(config: Path) -> str:
    return config.with_name("stderr").read_text("utf-8", "replace")[-2000:]


def _bytes_written(config: Path) -> int:
    """Bytes of output so far; a sealed part and an open one count alike."""
    total = 0
    with suppress(FileNotFoundError):
        for name in ("data", "dead"):
            with os.scandir(config.parent / "run" / name) as entries:
                total += sum(entry.stat().st_size for entry in entries)
    return total


def _arrivals(server: Simulated) -> int:
    """Requests that have reached a server, once it has seen all connections but ours end."""
    while (stats := server.stats())["connections"] > 1:
        time.sleep(0.005)
    return int(stats["arrivals"])


def _state(config: Path) -> str:
    """In what state a kill has left a run: to see that all kinds of moments were hit."""
    run = config.parent / "run"
    if read_manifest(run) is None:
        return "before the manifest"
    found = report(config)
    if found.problems:
        return "DAMAGED"
    if found.notes:
        return "torn tail"
    footer = SEEKABLE_FOOTER_MAGIC.to_bytes(4, "little")
    if any(path.read_bytes().endswith(footer) for path in run.rglob("*.part")):
        return "sealed, not renamed"
    if found.shards_finished == len(KINDS):
        return "all shards sealed"
    return "some rows committed" if found.counts.settled else "nothing committed"
