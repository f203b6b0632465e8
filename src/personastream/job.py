"""Section `[job]`: how a service that runs several configurations treats this one."""

from dataclasses import dataclass

from personastream.settings import setting

PRIORITY_MIN, PRIORITY_MAX = -100, 100
WEIGHT_MIN, WEIGHT_MAX = 0.001, 1000.0


@dataclass(frozen=True, slots=True)
class Job:
    """For `personastream serve` alone; `run` takes no notice. Both may be changed while the job runs."""

    priority: int = setting(
        "A job of a higher priority starts first, and its requests go before all others at endpoints they share.",
        default=0,
        minimum=PRIORITY_MIN,
        maximum=PRIORITY_MAX,
        identity=False,
    )
    weight: float = setting(
        "Share of an endpoint among jobs of the same priority that wait for it.",
        default=1.0,
        minimum=WEIGHT_MIN,
        maximum=WEIGHT_MAX,
        identity=False,
    )
