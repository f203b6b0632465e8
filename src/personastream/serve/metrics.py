"""`/metrics`: what Prometheus scrapes. Figures are copied on the event loop; a thread writes them down."""

import asyncio
import importlib.util
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import orjson
from aiohttp import web

from personastream.core.histogram import Histogram
from personastream.engine.statistics import Statistics
from personastream.serve.view import ServiceView

if TYPE_CHECKING:
    from personastream.serve.families import Sitting

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
NO_EXTRA = {
    "message": "metrics need prometheus-client",
    "hint": "Install it where the service runs: pip install 'personastream[metrics]'",
    "where": "/metrics",
}


class Watched(Protocol):
    """What there is to watch of the service."""

    def view(self) -> ServiceView:
        """What there is to see now."""

    def statistics(self) -> Mapping[str, Statistics]:
        """The engine's counters of each job that has sat in this process: those of its last sitting."""


def metrics_routes(service: Watched) -> list[web.RouteDef]:
    """What answers `/metrics`."""
    if importlib.util.find_spec("prometheus_client") is None:
        return [web.get("/metrics", _without)]
    scraper = Scraper(service)

    async def answer(request: web.Request) -> web.Response:
        headers = {"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"}
        return web.Response(body=await scraper.scrape(), headers=headers)

    return [web.get("/metrics", answer)]


async def _without(request: web.Request) -> web.Response:
    return web.Response(status=501, body=orjson.dumps({"error": NO_EXTRA}), content_type="application/json")


class Scraper:
    """Writes the metrics down, one scrape at a time."""

    def __init__(self, service: Watched) -> None:
        from personastream.serve.families import Rising

        self._service = service
        self._rising = Rising()
        self._one = asyncio.Lock()

    async def scrape(self) -> bytes:
        """The metrics now, as text."""
        from prometheus_client import generate_latest

        from personastream.serve.families import Families

        async with self._one:
            now_s = time.monotonic()
            sittings = {name: _copied(seen, now_s) for name, seen in self._service.statistics().items()}
            families = Families(self._service.view(), sittings, self._rising)
            return await asyncio.to_thread(generate_latest, families)


def _copied(seen: Statistics, now_s: float) -> "Sitting":
    from personastream.serve.families import Sitting

    return Sitting(
        rows_read=seen.rows_read,
        output_bytes=seen.output_bytes,
        cached_tokens=seen.cached_tokens,
        oldest_s=seen.oldest_s(now_s),
        latency=_frozen(seen.latency),
        commit=_frozen(seen.commit_s),
    )


def _frozen(histogram: Histogram) -> tuple[Sequence[int], float]:
    return tuple(histogram.counts), histogram.sum_s
