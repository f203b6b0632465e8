"""A staged run of which somebody is purged, killed at random moments and continued: all of it is there, or nothing is.

`python -m tests.crash.purge_lives --kills 30` prints the figures as JSON.
"""

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import orjson

from personastream.launch.stage_list import read_stages
from tests.support.command import personastream, started
from tests.support.outputs import read_records
from tests.support.simulated import Simulated, simulated
from tests.support.workspace import persona_lines, write_shard

WHOM = "Ottoline Zwiebelfisch, the last lamplighter of Quendon"
ROW = 5
HOP_ROWS = 30
"""So many rows of the last hop have their end when the purge comes, those made of row ROW among them: what is purged
keeps its place then, and all others have the ids that they have in `whole`. Rows never asked for would keep none."""
POLL_S = 0.001
SPREAD_S = 0.15
"""From the moment on at which a purge begins to write, about as long as it takes."""

STAGES = """
[sink]
path = "run"
part_bytes_max = 65536
[provider]
base_url = "{base_url}"
model = "simulated"
in_flight_max = 8
[limits]
backoff_s = 0.01
dead_share_max = 1.0

[[stage]]
name = "people"
source = {{ paths = ["in/*.jsonl"] }}
recipe = {{ type = "persona_to_persona", fan_out = 2 }}

[[stage]]
name = "hop"
from = "people"
hops = 2
transform = [{{ type = "dedup" }}]
recipe = {{ type = "persona_to_persona", fan_out = 2 }}

[[stage]]
name = "tasks"
from = ["people", "hop"]
source = {{ field = "persona" }}
recipe = {{ template = "math" }}

[[stage]]
name = "hub"
from = ["people", "hop"]
transform = [{{ type = "dedup" }}]
"""


@dataclass(frozen=True, slots=True)
class PurgeLives:
    """`begun` is a run with the last hop half done and the rest still to come; `whole` is the same, finished."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "stages.toml"

    def prepare(self, simulator: Simulated, rows: int = 30) -> None:
        """Write the input; run as far as `begun`, then as far as `whole`."""
        lines = persona_lines(rows)
        lines[ROW] = orjson.dumps({"persona": f"{WHOM}, who counts moths."})
        write_shard(self.folder / "in" / "a.jsonl", lines)
        self.config.write_text(STAGES.format(base_url=simulator.base_url))
        for stage in ("people", "hop-1"):
            assert self.run("begun", "--stage", stage).code == 0
        assert self.run("begun", "--stage", "hop-2", "--max-rows", str(HOP_ROWS)).code == 75
        self.copy("begun", "whole")
        assert self.run("whole").code == 0

    def run(self, name: str, *more: str):  # type: ignore[no-untyped-def]
        """Continue a run."""
        words = ("run", self.config, "--resume", "--progress", "none", "--set", f"sink.path={self.folder / name}")
        return personastream(*words, *more)

    def copy(self, old: str, new: str) -> Path:
        """The same run in another folder."""
        shutil.rmtree(self.folder / new, ignore_errors=True)
        return Path(shutil.copytree(self.folder / old, self.folder / new))

    def purge_and_be_killed(self, name: str, random: Random) -> bool:
        """Begin a purge, and kill it at a random moment of its work. Whether it was killed."""
        delay_s = random.uniform(0, SPREAD_S)
        words = ("purge", self.folder / name, "--text", WHOM.upper(), "--yes")
        with started(*words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while process.poll() is None and not (self.folder / name / "purge").exists():
                time.sleep(POLL_S)
            time.sleep(delay_s)
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            return process.wait() == -signal.SIGKILL

    def records(self, name: str) -> dict[str, dict[str, str]]:
        """By stage, by id, the text that each record holds."""
        stages = read_stages(self.folder / name)
        assert stages is not None
        return {
            stage: {each["id"]: _text(each) for each in read_records(self.folder / name / stage / "data")}
            for stage in stages
            if (self.folder / name / stage / "data").exists()
        }

    def derived(self, name: str) -> dict[str, set[str]]:
        """By stage, the ids of all that was made of the one that is purged, by what the records say of themselves."""
        known = {f"a:{ROW}"}
        found: dict[str, set[str]] = {}
        for stage in read_stages(self.folder / name) or ():
            for each in read_records(self.folder / name / stage / "data"):
                meta = each["meta"]
                origin = meta.get("origin", {})
                if known & {
                    meta.get("parent"),
                    meta.get("root"),
                    origin.get("id"),
                    origin.get("meta.root"),
                    each["id"],
                }:
                    known.add(each["id"])
                    found.setdefault(stage, set()).add(each["id"])
        return found


def _text(record: dict[str, str]) -> str:
    return record.get("synthesized text") or record["persona"]


def found_in(folder: Path, phrases: list[str]) -> list[str]:
    """Which phrases are anywhere in a folder: by zstd and grep, packed and raw, names of files included."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    unpacked = b"".join(
        subprocess.run(["zstd", "-dcqf", str(path)], capture_output=True, check=False).stdout + path.read_bytes()
        for path in files
    )
    names = "\n".join(map(str, files))
    return [each for each in phrases if each.encode() in unpacked or each in names]


@dataclass(slots=True)
class Tally:
    """How purges ended: gone at once, carried out by the next start, or as if they had never begun."""

    killed: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def live(lives: PurgeLives, kills: int, seed: int, *, to_the_end: bool) -> Tally:
    """So many purges killed; each run is continued, checked, and purged again if there is anything left."""
    tally, random = Tally(), Random(seed)
    whole, derived = lives.records("whole"), lives.derived("whole")
    for number in range(kills):
        lives.copy("begun", "killed")
        tally.killed += lives.purge_and_be_killed("killed", random)
        done = lives.run("killed") if to_the_end or number % 4 == 0 else lives.run("killed", "--stage", "hop-1")
        tally.problems += [f"{number}: continuing ended with {done.code}: {done.err}"] * (done.code != 0)
        tally.problems += [f"{number}: {problem}" for problem in _problems(lives, whole, derived, tally)]
    return tally


def _problems(
    lives: PurgeLives, whole: dict[str, dict[str, str]], derived: dict[str, set[str]], tally: Tally
) -> Iterator[str]:
    folder = lives.folder / "killed"
    texts = [whole[stage][identity] for stage in ("people", "hop-1", "hop-2") for identity in derived[stage]]
    gone = not (lives.records("killed")["people"].keys() & derived["people"])
    if gone:
        tally.ends["gone"] += 1
    else:
        tally.ends["there"] += 1
        for stage, records in lives.records("killed").items():
            lost = whole[stage].keys() - records.keys()
            if stage in ("people", "hop-1") and lost:
                yield f"{stage}: {sorted(lost)[:3]} are gone, but nothing was purged"
        again = personastream("purge", folder, "--text", WHOM, "--yes")
        if again.code != 0:
            yield f"the second purge ended with {again.code}: {again.err}"
    if left := found_in(folder, [WHOM, *texts]):
        yield f"still there: {left[:3]}"
    for stage, records in lives.records("killed").items():
        if back := records.keys() & derived.get(stage, set()):
            yield f"{stage}: {sorted(back)[:3]} are there"
        other = {key: text for key, text in records.items() if whole[stage].get(key, text) != text}
        if other:
            yield f"{stage}: {sorted(other)[:3]} are not as in a run that nobody purged"
    verified = personastream("verify", folder)
    if verified.code != 0 or "note " in verified.out:
        yield f"verify ended with {verified.code}: {verified.out}"


def main() -> int:
    """The long one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, simulated() as simulator:
        lives = PurgeLives(Path(folder))
        lives.prepare(simulator)
        tally = live(lives, wanted.kills, wanted.seed, to_the_end=True)
    figures = {"killed": tally.killed, "ends": tally.ends, "problems": tally.problems}
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return bool(tally.problems)


if __name__ == "__main__":
    sys.exit(main())
