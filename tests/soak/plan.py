"""What is carried out: three jobs over the same two endpoints, and how much of it fits into the time."""

from dataclasses import dataclass
from pathlib import Path
from random import Random

import orjson
import zstandard

SHARE = 0.8
"""Of what could be asked in the time if nothing happened."""
SHARDS = 6
FOLLOWED_SHARDS = 12
FAULTS = ("500=0.01", "drop=0.005", "cut=0.002", "off-contract=0.01", "poison=0.0005")
"""All along. A server that asks for pauses is a time of its own: see `story`."""
TRADES = ("keeper", "painter", "smith", "baker", "tailor", "miller", "sailor", "glazier", "weaver", "mason", "cooper")


JOB = """
[source]
paths = ["{inputs}"]
{follow}
[recipe]
template = "{template}"
[sink]
commit_interval_s = 2.0
[limits]
backoff_s = 0.2
drain_s_max = 30
{providers}
"""
PROVIDER = """
[[provider]]
base_url = "{base_url}"
model = "simulated"
in_flight_max = {in_flight}
pacing = "fixed"
timeout_s = 60
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """`in_flight` are requests at once, of all jobs together; each is answered after about `latency_s`."""

    folder: Path
    minutes: float
    in_flight: int
    latency_s: float
    seed: int = 1

    @property
    def rows(self) -> int:
        """Of each of the three jobs."""
        return max(600, round(SHARE * self.in_flight / self.latency_s * 60 * self.minutes / 3))

    def shards(self, job: str) -> list[tuple[Path, range]]:
        """The files of a job, and which people are in each."""
        count = FOLLOWED_SHARDS if job == "followed" else SHARDS
        cuts = [self.rows * place // count for place in range(count + 1)]
        return [
            (self.folder / "in" / job / f"{job}-{place:02d}.jsonl.zst", range(cuts[place], cuts[place + 1]))
            for place in range(count)
        ]

    def write_shard(self, path: Path, rows: range) -> None:
        """Renamed into place when it is whole."""
        path.parent.mkdir(parents=True, exist_ok=True)
        chance = Random(f"{self.seed} {path.name}")
        lines = (
            orjson.dumps({"persona": f"A {chance.choice(TRADES)} in house {row} of {path.stem} street"}) + b"\n"
            for row in rows
        )
        hidden = path.with_name(f".{path.name}")
        hidden.write_bytes(zstandard.compress(b"".join(lines)))
        hidden.rename(path)

    def config(self, job: str, base_urls: list[str]) -> str:
        """The job's configuration."""
        each = self.in_flight // len(base_urls)
        return JOB.format(
            inputs=self.folder / "in" / job / "*.jsonl.zst",
            follow="follow = true\nfollow_s = 1.0" if job == "followed" else "",
            template={"first": "math", "second": "instruction"}.get(job, "knowledge"),
            providers="".join(PROVIDER.format(base_url=url, in_flight=each) for url in base_urls),
        )


JOBS = ("first", "second", "followed")
