"""A provider that answers at once, in this process: what is left is the engine's own work.

In a configuration: `[provider] type = "bench.instant:Instant"`, with the project's root on the Python path. Once
`base_url` is set, it asks that server instead, so that a run made quickly can be resumed for real.
"""

from dataclasses import dataclass, field

from bench.nginx import CONTENT
from personastream.providers.openai import Openai
from personastream.records import Completion, Request
from personastream.settings import setting

COMPLETION = Completion(CONTENT, "stop", "bench", 231, 104, b"{}")


@dataclass
class Instant:
    """Always the same completion; it never waits."""

    base_url: str = setting("Address of a server to ask instead; empty for none.", default="", identity=False)
    in_flight_max: int = setting("Requests under way at once.", default=256, minimum=1, maximum=10_000, identity=False)
    requests_per_minute: float = setting("Ceiling on requests; 0 for none.", default=0, minimum=0, identity=False)
    tokens_per_minute: float = setting("Ceiling on tokens; 0 for none.", default=0, minimum=0, identity=False)
    _server: Openai | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        if self.base_url:
            self._server = Openai(self.base_url, "bench")

    async def complete(self, request: Request) -> Completion:
        return COMPLETION if self._server is None else await self._server.complete(request)

    async def aclose(self) -> None:
        """Close the server's connections, if there is a server."""
        if self._server is not None:
            await self._server.aclose()
