"""What is run and killed: shards with duplicates and broken rows among them, and configurations for them."""

from dataclasses import dataclass
from pathlib import Path
from random import Random

import orjson

from tests.support.workspace import persona_lines, write_config, write_shard

KINDS = ("jsonl.zst", "jsonl", "jsonl.gz", "jsonl.zst")
ROWS_PER_SHARD = 90
ROWS = ROWS_PER_SHARD * len(KINDS)
PADDING_BYTES = 8000
"""Of each row, besides its persona: so that a shard is long enough for its row index to hold points."""
BROKEN = (b"{", b"", b'{"text": "no persona"}', b'{"persona": 7}', b'{"persona": " "}', b"\xff\xfe", b"[" * 99)
CHECKPOINT_ROWS = 64
IN_FLIGHT_MAX = 8
COMMIT_ROWS_MAX = 8

FAULTS = ("--fault", "poison=0.03", "--fault", "500=0.02", "--fault", "drop=0.01")
LATENCY = ("--latency", "0.01", "--latency-sigma", "0.5")


@dataclass(frozen=True, slots=True)
class Variant:
    """A kind of run: with transforms or without, against a server with faults or without."""

    name: str
    transforms: tuple[str, ...]
    has_faults: bool

    @property
    def simulator_options(self) -> tuple[str, ...]:
        return LATENCY + (FAULTS if self.has_faults else ())


VARIANTS = (
    Variant("dedup, faults", ("filter", "dedup", "near_dedup"), True),
    Variant("dedup, no faults", ("filter", "dedup", "near_dedup"), False),
    Variant("plain, no faults", (), False),
)


def write_job(folder: Path, variant: Variant, base_url: str, seed: int) -> Path:
    """Shards, which follow from the seed, and a configuration that commits, rolls and seals as often as it may."""
    random = Random(seed)
    for number, kind in enumerate(KINDS):
        lines = _rows(random, seed * len(KINDS) + number, duplicates=bool(variant.transforms))
        write_shard(folder / "in" / f"shard-{number}.{kind}", lines, rows_per_frame=random.randint(20, 200))
    return write_config(
        folder / "job.toml",
        base_url,
        transforms=variant.transforms,
        source={"batch_rows": 16},
        provider={"in_flight_max": IN_FLIGHT_MAX, "timeout_s": 20},
        sink={"commit_rows_max": COMMIT_ROWS_MAX, "commit_interval_s": 0.05, "part_bytes_max": 1 << 16},
        limits={"attempts_max": 10},
    )


def _rows(random: Random, seed: int, *, duplicates: bool) -> list[bytes]:
    texts = [orjson.loads(line)["persona"] for line in persona_lines(ROWS_PER_SHARD, seed)]
    for _ in range(ROWS_PER_SHARD // 6 if duplicates else 0):
        earlier, later = sorted(random.sample(range(ROWS_PER_SHARD), 2))
        texts[later] = random.choice((str, str.upper, lambda text: f"  {text} ", lambda text: f"“{text}”"))(
            texts[earlier]
        )
    padding = random.randbytes(PADDING_BYTES // 2).hex()
    lines = [orjson.dumps({"persona": text, "note": padding}) for text in texts]
    for number in random.sample(range(ROWS_PER_SHARD), 3):
        lines[number] = random.choice(BROKEN)
    return lines
