"""Placeholder until the engine's own exchange is merged."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(eq=False, slots=True)
class Share:
    """One job's part in an exchange."""

    name: str
    priority: int = 0
    weight: float = 1.0
    held: bool = False

    def leave(self) -> None:
        """The job has ended."""


class Exchange:
    """Endpoints that jobs share."""

    endpoints: Sequence[object] = ()

    def join(self, name: str, priority: int = 0, weight: float = 1.0) -> Share:
        """A job begins."""
        return Share(name, priority, weight)
