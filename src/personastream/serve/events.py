"""`/v1/events`: the state of the service, once a second, as server-sent events.

Law: an event is made once, however many listen. A listener that does not keep up misses events, never holds anything
up, and is let go when it takes nothing at all. The first event is whole; the ones after it leave out jobs that ended
more than a minute ago, which do not change: there may be thousands of them.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import orjson
from aiohttp import web

from personastream.serve.metrics import Watched
from personastream.serve.view import ENDED, JobView, ServiceView

PERIOD_S = 1.0
LISTENERS_MAX = 64
STUCK_AFTER_S = 30.0
FRESH = timedelta(minutes=1)
TOO_MANY = {
    "message": f"{LISTENERS_MAX} listeners are here already",
    "hint": "Close some pages of this service.",
    "where": "/v1/events",
}


def event_routes(service: Watched) -> list[web.RouteDef]:
    """What answers `/v1/events`."""
    return [web.get("/v1/events", Events(service.view).answer)]


class Events:
    """Tells all listeners what `look` sees."""

    def __init__(self, look: Callable[[], ServiceView], stuck_after_s: float = STUCK_AFTER_S) -> None:
        self._look = look
        self._stuck_after_s = stuck_after_s
        self._listeners = 0
        self._tick = -1
        self._event = b""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Until the listener goes."""
        if self._listeners >= LISTENERS_MAX:
            body = orjson.dumps({"error": TOO_MANY})
            return web.Response(status=503, body=body, content_type="application/json", headers={"Retry-After": "5"})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        self._listeners += 1
        try:
            await response.prepare(request)
            await self._tell(response)
        except (OSError, TimeoutError):  # gone, or stuck
            pass
        finally:
            self._listeners -= 1
        return response

    async def _tell(self, response: web.StreamResponse) -> None:
        clock = asyncio.get_running_loop().time
        event = _event(self._look())
        while True:
            async with asyncio.timeout(self._stuck_after_s):
                await response.write(event)
            await asyncio.sleep(PERIOD_S - clock() % PERIOD_S)  # all wake in the same moment, and share the event
            event = self._shared(round(clock() / PERIOD_S))

    def _shared(self, tick: int) -> bytes:
        if tick != self._tick:
            self._tick = tick
            view = self._look()
            self._event = _event(replace(view, jobs=[job for job in view.jobs if not _old(job, view.now)]))
        return self._event


def _event(view: ServiceView) -> bytes:
    return b"event: state\ndata: " + orjson.dumps(view) + b"\n\n"


def _old(job: JobView, now: str) -> bool:
    return job.state in ENDED and bool(job.ended and now) and _moment(now) - _moment(job.ended) > FRESH


def _moment(told: str) -> datetime:
    return datetime.fromisoformat(told)
