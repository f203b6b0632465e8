"""How the simulated service behaves: one frozen dataclass, checked when it is made."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from personastream.errors import ConfigError
from personastream.simulator.faults import check_rates

BODY_BYTES_MAX = 8 * 1024 * 1024
"""Largest request body: far above any chat prompt, far below what would hurt."""

_BOUNDS: Mapping[str, tuple[float, float]] = {
    "seed": (0, 2**64 - 1),
    "output_tokens": (1, 100_000),
    "latency_s": (0, 3600),
    "latency_sigma": (0, 3),
    "requests_per_minute": (0, 1e9),
    "tokens_per_minute": (0, 1e12),
    "burst_s": (0.001, 3600),
    "body_bytes_max": (1, 2**30),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """Everything that shapes the answers. Raises `ConfigError` for a value out of bounds.

    `output_tokens` is the mean length of a reply. `latency_s` is the mean time to answer and `latency_sigma` the
    sigma of its lognormal distribution (0: always the mean). A limit of 0 means no limit; a bucket holds `burst_s`
    seconds of its rate. `faults` maps names from `faults.FAULTS` to rates from 0 to 1. `key` is the bearer key to
    demand. `log` is a file that gets one JSON line per request. `openings` are reply openings to know besides those
    of the shipped templates.
    """

    seed: int = 0
    model: str = "simulated"
    output_tokens: int = 120
    latency_s: float = 0.0
    latency_sigma: float = 0.0
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    burst_s: float = 60.0
    faults: Mapping[str, float] = field(default_factory=dict)
    key: str | None = field(default=None, repr=False)
    log: Path | None = None
    openings: tuple[str, ...] = ()
    body_bytes_max: int = BODY_BYTES_MAX

    def __post_init__(self) -> None:
        for name, (low, high) in _BOUNDS.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise ConfigError(f"{name} is {value}", hint=f"It must lie between {low:g} and {high:g}.")
        if self.key == "":
            raise ConfigError("the key to demand is empty", hint="Give a key, or None to demand none.")
        check_rates(self.faults)
