"""`configs/hub.toml` over web pages, killed at random moments and continued: each stage must come out the same.

`python -m tests.crash.hub_lives FOLDER PAGES` prints the figures of a long one as JSON; PAGES is a file of texts.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from personastream.core.outcomes import Counts
from personastream.launch.manifest import read_manifest
from personastream.launch.stage_list import read_stages
from personastream.sinks.frames import Frames
from tests.crash.dedup_lives import bytes_written
from tests.support.command import personastream, started
from tests.support.outputs import read_records
from tests.support.simulated import Simulated, simulated

HUB = Path(__file__).parents[2] / "configs" / "hub.toml"
POLL_S = 0.002


@dataclass(frozen=True, slots=True)
class StageLeft:
    """What a stage leaves that must follow from its input: how many rows ended how, and its records."""

    counts: Counts
    personas: list[tuple[str, str, str, str, int]]
    """(id, persona, root, parent, hop), sorted."""


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub to be made of a file of texts."""

    folder: Path
    pages: Path
    simulator: Simulated
    rows_max: int
    settings: Sequence[str] = ()

    def words(self, out: str) -> list[str]:
        """The command line, into a folder of its own."""
        settings = [
            f"sink.path={self.folder / out}",
            f"provider.base_url={self.simulator.base_url}",
            f'stage.0.source.paths=["{self.pages}"]',
            f"stage.1.rows_max={self.rows_max}",
            *self.settings,
        ]
        chosen = [word for one in settings for word in ("--set", one)]
        return ["run", str(HUB), "--resume", "--progress", "none", *chosen]

    def live(self, out: str) -> None:
        """To the end."""
        with started(*self.words(out), stderr=subprocess.PIPE) as process:
            _, said = process.communicate(timeout=3600)
        assert process.returncode == 0, said.decode()[-2000:]

    def live_and_be_killed(self, out: str, random: Random, kills: int, like: int) -> int:
        """Kill so many times at moments spread over all that is to be written, `like` bytes; then finish."""
        moments, killed = sorted(random.uniform(0, like) for _ in range(kills)), 0
        for wanted in moments:
            with started(*self.words(out), stderr=subprocess.DEVNULL) as process:
                while process.poll() is None and bytes_written(self.folder / out) < wanted:
                    time.sleep(POLL_S)
                time.sleep(random.random() * 0.05)
                with suppress(ProcessLookupError):
                    process.send_signal(signal.SIGKILL)
                killed += process.wait() == -signal.SIGKILL
        self.live(out)
        return killed

    def left(self, out: str) -> dict[str, StageLeft]:
        """What each stage has left, by its name."""
        names = read_stages(self.folder / out)
        assert names is not None
        return {name: _stage_left(self.folder / out / name) for name in names}

    def is_whole(self, out: str) -> bool:
        """Whether `verify` finds nothing wrong in any stage."""
        return personastream("verify", self.folder / out).code == 0


def _stage_left(directory: Path) -> StageLeft:
    manifest = read_manifest(directory)
    assert manifest is not None
    sink = Frames(path=str(directory))
    sink.attach(manifest.run_id, [shard.stem for shard in manifest.shards])
    states = sink.recover(repair=False)
    assert all(state.finished for state in states)
    records = read_records(directory / "data")
    personas = [
        (each["id"], each["persona"], each["meta"]["root"], each["meta"].get("parent", ""), each["meta"]["hop"])
        for each in records
    ]
    return StageLeft(sum((state.counts for state in states), Counts()), sorted(personas))


def orphans(left: Mapping[str, StageLeft], pages: int, stem: str) -> list[str]:
    """Personas whose chain of parents does not lead to a page by way of all hops between."""
    known = {identity: (parent, hop) for stage in left.values() for identity, _, _, parent, hop in stage.personas}
    lost = []
    for stage in left.values():
        for identity, _, root, parent, hop in stage.personas:
            steps = 0
            while parent in known and steps <= hop:
                parent, steps = known[parent][0], steps + 1
            name, _, number = root.rpartition(":")
            if steps != hop or parent or name != stem or not 0 <= int(number) < pages:
                lost.append(identity)
    return lost


def main() -> int:
    """The long one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", type=Path)
    parser.add_argument("--count", type=int, required=True, help="texts in the file")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rows-max", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, simulated("--latency", "0.02") as simulator:
        hub = Hub(Path(folder), wanted.pages.absolute(), simulator, wanted.rows_max)
        started_s = time.monotonic()
        hub.live("undisturbed")
        seconds = time.monotonic() - started_s
        like = bytes_written(hub.folder / "undisturbed")
        killed = hub.live_and_be_killed("killed", Random(wanted.seed), wanted.kills, like)
        undisturbed, disturbed = hub.left("undisturbed"), hub.left("killed")
        stem = wanted.pages.name.partition(".")[0]
        figures = {
            "stages": {
                name: {"rows": left.counts.settled, "records": len(left.personas)} for name, left in undisturbed.items()
            },
            "seconds": round(seconds, 1),
            "killed": killed,
            "same_after_kills": undisturbed == disturbed,
            "stages_that_differ": [name for name, left in undisturbed.items() if left != disturbed[name]],
            "orphans": len(orphans(undisturbed, wanted.count, stem)),
            "verified": hub.is_whole("undisturbed") and hub.is_whole("killed"),
        }
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return not (figures["same_after_kills"] and figures["verified"] and not figures["orphans"])


if __name__ == "__main__":
    sys.exit(main())
