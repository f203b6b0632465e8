"""How the simulated service behaves: one frozen dataclass, checked when it is made."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from personastream.errors import ConfigError
from personastream.simulator.faults import expanded

BODY_BYTES_MAX = 8 * 1024 * 1024
"""Largest request body: far above any chat prompt, far below what would hurt."""

_BOUNDS: Mapping[str, tuple[float, float]] = {
    "seed": (0, 2**64 - 1),
    "output_tokens": (1, 100_000),
    "latency_s": (0, 3600),
    "latency_sigma": (0, 3),
    "requests_per_minute": (0, 1_000_000_000),
    "tokens_per_minute": (0, 1_000_000_000_000),
    "input_tokens_per_minute": (0, 1_000_000_000_000),
    "output_tokens_per_minute": (0, 1_000_000_000_000),
    "burst_s": (0.001, 3600),
    "slots": (0, 100_000),
    "queue_max": (0, 1_000_000),
    "step_s": (1e-6, 60),
    "step_growth_s": (0, 1),
    "speed": (0.001, 100_000),
    "context_tokens": (0, 100_000_000),
    "cache_tokens_min": (1, 1_000_000),
    "retry_after_s": (0, 86_400),
    "batch_latency_s": (0, 86_400),
    "batch_window_s": (0.001, 86_400),
    "batch_failures": (0, 1),
    "wrong_solutions": (0, 1),
    "batch_requests_max": (1, 1_000_000),
    "batch_bytes_max": (1, 2**30),
    "body_bytes_max": (1, 2**30),
}
FIXED = {"seed", "model", "log", "openings", "key", "trace", "replies", "body_bytes_max"}
"""What stays as it was at the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """Everything that shapes the answers. Raises `ConfigError` for a value out of bounds.

    `output_tokens` is the mean length of a reply. `latency_s` is the mean time to answer and `latency_sigma` the
    sigma of its lognormal distribution (0: always the mean); `trace` is a file to take lengths and times from.
    `wrong_solutions` is the share of mathematics problems that a reply solves wrongly. `replies` is a file of replies
    to use for certain rows, see `scripted.py`.
    A limit of 0 means no limit; a bucket holds `burst_s` seconds of its rate.

    With `slots`, replies are generated as an inference server does it: that many at once, the others wait, at most
    `queue_max` of them (0: any number); a step gives each one token and takes `step_s`, and `step_growth_s` more for
    each that runs, divided by `speed`; `latency_s` comes before. A prompt of over `context_tokens` is refused, or cut
    unsaid if it `truncates`.

    `faults` maps names from `faults.FAULTS` and `faults.GROUPS` to rates from 0 to 1; `faults_on` limits them to
    requests such as `POST /v1/batches`, of which a beginning is enough, else all but the list of models meet them;
    `retry_after_s` is the pause that faults ask for.
    `key` is the key to demand. `log` is a file that gets one JSON line per request. `openings` are reply openings to
    know besides those of the shipped templates. The beginning of a prompt that came before counts as cached from
    `cache_tokens_min` tokens up.

    A batch takes `batch_latency_s`, and expires after `batch_window_s`; `batch_failures` is the share of its
    requests that fail.
    """

    seed: int = 0
    model: str = "simulated"
    output_tokens: int = 120
    latency_s: float = 0.0
    latency_sigma: float = 0.0
    trace: Path | None = None
    wrong_solutions: float = 0.15
    replies: Path | None = None
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    input_tokens_per_minute: int = 0
    output_tokens_per_minute: int = 0
    burst_s: float = 60.0
    slots: int = 0
    queue_max: int = 0
    step_s: float = 0.02
    step_growth_s: float = 0.00012
    speed: float = 1.0
    context_tokens: int = 0
    truncates: bool = False
    cache_tokens_min: int = 1024
    faults: Mapping[str, float] = field(default_factory=dict)
    faults_on: tuple[str, ...] = ()
    retry_after_s: float = 1.0
    key: str | None = field(default=None, repr=False)
    log: Path | None = None
    openings: tuple[str, ...] = ()
    body_bytes_max: int = BODY_BYTES_MAX
    batch_latency_s: float = 1.0
    batch_window_s: float = 86_400.0
    batch_failures: float = 0.0
    batch_requests_max: int = 50_000
    batch_bytes_max: int = 200_000_000

    def __post_init__(self) -> None:
        for name, (low, high) in _BOUNDS.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise ConfigError(f"{name} is {value}", hint=f"It must lie between {low:g} and {high:g}.")
        if self.key == "":
            raise ConfigError("the key to demand is empty", hint="Give a key, or None to demand none.")
        expanded(self.faults)

    @property
    def per_minute(self) -> Mapping[str, int]:
        """The limits, by kind."""
        return {
            "requests": self.requests_per_minute,
            "tokens": self.tokens_per_minute,
            "input-tokens": self.input_tokens_per_minute,
            "output-tokens": self.output_tokens_per_minute,
        }

    def changed(self, changes: Mapping[str, Any]) -> "Behaviour":
        """Another behaviour, from JSON. Raises `ConfigError` for a name or value that cannot be."""
        for name, value in changes.items():
            if name not in CHANGEABLE:
                known = ", ".join(CHANGEABLE)
                raise ConfigError(f"there is nothing named {name!r} to change", hint=f"It may be: {known}.")
            if not _fits(value, CHANGEABLE[name]):
                raise ConfigError(f"{name} cannot be {value!r}", hint=f"It is like {CHANGEABLE[name]!r}.")
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in changes.items()
        }
        return replace(self, **values)


CHANGEABLE: Mapping[str, Any] = {
    each.name: {} if each.name == "faults" else each.default for each in fields(Behaviour) if each.name not in FIXED
}
"""What may change while the server runs, and a value of its kind."""


def _fits(value: Any, like: Any) -> bool:
    """Whether a value from JSON can take the place of `like`."""
    if isinstance(like, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(like, bool)
    if isinstance(like, int):
        return isinstance(value, int)
    if isinstance(like, float):
        return isinstance(value, int | float)
    if isinstance(like, tuple):
        return isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
    return isinstance(value, Mapping) and all(
        isinstance(rate, int | float) and not isinstance(rate, bool) for rate in value.values()
    )


PROFILES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "hosted": {"requests_per_minute": 600, "tokens_per_minute": 1_000_000, "burst_s": 5.0, "latency_sigma": 0.5},
        "vllm": {"slots": 256, "context_tokens": 32_768},
        "ollama": {"slots": 4, "queue_max": 512, "context_tokens": 4096, "truncates": True, "step_growth_s": 0.002},
        "anthropic": {
            "requests_per_minute": 1000,
            "input_tokens_per_minute": 450_000,
            "output_tokens_per_minute": 90_000,
            "burst_s": 5.0,
            "latency_sigma": 0.5,
            "faults": {"529": 0.01},
        },
    }
)
"""Settings that go together. `hosted`: token buckets; `vllm`: continuous batching and a queue without end; `ollama`:
few slots, a queue of 512, prompts cut unsaid; `anthropic`: buckets for input and output tokens, now and then 529."""
