"""Configurations for the engine under test: everything on, limits so high that only their code runs."""

import json
from collections.abc import Sequence
from pathlib import Path

TEMPLATE = Path(__file__).with_name("math.toml")
REQUESTS_PER_MINUTE = 100_000_000
TOKENS_PER_MINUTE = 1_000_000_000_000


def write_config(
    path: Path,
    shards: Sequence[Path],
    *,
    provider: str,
    in_flight: int,
    transforms: Sequence[str] = ("dedup",),
    limits: bool = True,
) -> Path:
    """Write a configuration whose run directory is `run` beside it; `provider` holds that section's own lines."""
    lines = ["[source]", f"paths = {json.dumps([str(shard) for shard in shards])}"]
    for transform in transforms:
        lines += ["[[transform]]", f'type = "{transform}"']
    lines += ["[recipe]", f'template = "{TEMPLATE}"']
    lines += ["[provider]", provider, f"in_flight_max = {in_flight}"]
    if limits:
        lines += [f"requests_per_minute = {REQUESTS_PER_MINUTE}", f"tokens_per_minute = {TOKENS_PER_MINUTE}"]
    lines += ["[sink]", 'path = "run"']
    path.write_text("\n".join(lines) + "\n")
    return path


def http(base_url: str, pacing: str = "adaptive") -> str:
    """The provider section for an OpenAI-compatible server."""
    return f'base_url = "{base_url}"\nmodel = "bench"\npacing = "{pacing}"'


INSTANT = 'type = "bench.instant:Instant"'
