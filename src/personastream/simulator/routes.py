"""Which path and method lead where. A pattern is a path in which `*` stands for any one part."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from personastream.simulator.connection import Connection
from personastream.simulator.request_reader import HttpRequest

Respond = Callable[[Connection, HttpRequest, Sequence[str]], None]
"""Gets the parts of the path that the stars stand for."""


class Found(NamedTuple):
    """What a request leads to. Without `respond`, `allowed` lists the methods that would, if there are any."""

    respond: Respond | None
    stars: Sequence[str] = ()
    allowed: bytes = b""


class Routes:
    """Finds by method and pattern; plain paths with one dictionary look-up."""

    def __init__(self, table: Mapping[str, Respond]) -> None:
        self._plain: dict[tuple[bytes, bytes], Found] = {}
        self._patterns: list[tuple[bytes, list[str], Respond]] = []
        for line, respond in table.items():
            method, _, pattern = line.partition(" ")
            self._patterns.append((method.encode(), pattern.split("/"), respond))
            if "*" not in pattern:
                self._plain[method.encode(), pattern.encode()] = Found(respond)

    def find(self, request: HttpRequest) -> Found:
        """Where this request leads."""
        found = self._plain.get((request.method, request.target))
        return found or self._search(request.method, request.target.partition(b"?")[0])

    def _search(self, method: bytes, path: bytes) -> Found:
        parts = path.decode("utf-8", "replace").split("/")
        fitting = [(allowed, pattern, respond) for allowed, pattern, respond in self._patterns if _fits(parts, pattern)]
        for allowed, pattern, respond in fitting:
            if allowed == method:
                return Found(respond, [part for part, place in zip(parts, pattern, strict=True) if place == "*"])
        return Found(None, allowed=b", ".join(allowed for allowed, _, _ in fitting))


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    return len(parts) == len(pattern) and all(
        place in ("*", part) and part for part, place in zip(parts[1:], pattern[1:], strict=True)
    )
