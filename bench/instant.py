"""A provider that answers at once, in this process: what is left is the engine's own work.

In a configuration: `[provider] type = "bench.instant:Instant"`, with the project's root on the Python path.
"""

from dataclasses import dataclass

from bench.nginx import CONTENT
from personastream.records import Completion, Request
from personastream.settings import setting

BODY = b'{"instant": true}'


@dataclass
class Instant:
    """Always the same completion; it never waits."""

    in_flight_max: int = setting("Requests under way at once.", default=256, minimum=1, maximum=10_000, identity=False)
    requests_per_minute: float = setting("Ceiling on requests; 0 for none.", default=0, minimum=0, identity=False)
    tokens_per_minute: float = setting("Ceiling on tokens; 0 for none.", default=0, minimum=0, identity=False)

    async def complete(self, request: Request) -> Completion:
        return Completion(CONTENT, "stop", "bench", 231, 104, BODY)

    async def aclose(self) -> None:
        """Nothing is open."""
