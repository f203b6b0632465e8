"""A service made of made-up figures, for what shows a service: its page, its metrics, `top`.

It keeps its word on shapes and on the token, and remembers what it is told; it runs nothing.
"""

import random
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Event, Thread
from typing import Any

import anyio
import orjson
from aiohttp import web

from personastream.engine.statistics import Statistics
from personastream.serve.events import event_routes
from personastream.serve.metrics import metrics_routes
from personastream.serve.page import page_routes
from personastream.serve.view import EndpointView, JobState, JobView, ServiceView, StageView

TOKEN = "token-of-a-test"
HOSTILE = "<img src=x onerror=alert(1)> {{7*7}} ${x} \u202e \x00\x1b[2J </script><script>alert(1)</script>"


def now() -> str:
    """As the service tells times."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def job(name: str, state: JobState = JobState.RUNNING, **changes: Any) -> JobView:
    """A job with figures that could be."""
    stages = (
        StageView("draw", "finished", (), 9_000, {"dedup": 900}, {"refused": 100}, 10_000),
        StageView("solve", "running", ("draw",), 4_000, {"near_dedup": 30}, {"contract": 200, "length": 40}, 9_000),
        StageView("grade", "not begun", ("solve",)),
    )
    told = JobView(
        name=name,
        state=state,
        submitted=now(),
        started=now(),
        directory=f"/srv/personastream/runs/{name}",
        stage="solve",
        stages=stages,
        delivered=4_000,
        dropped={"near_dedup": 30},
        dead={"contract": 200, "length": 40},
        uncommitted=12,
        rows_estimated=9_000,
        in_flight=250,
        waiting=3,
        requests=4_700,
        retries=31,
        throttled=21,
        faults={"Throttled": 21, "Unavailable": 10},
        input_tokens=1_000_000,
        output_tokens=2_000_000,
        rows_per_s=41.5,
        requests_per_s=43.0,
        tokens_per_s=18_000.0,
        latency_p50_s=0.82,
        latency_p95_s=2.4,
        latency_p99_s=5.1,
        spend=3.5,
        spend_max=10.0,
        eta_s=115.0,
        commits=40,
        last_commit=now(),
    )
    return replace(told, **changes)


def endpoint(identity: str = "3f9a01", **changes: Any) -> EndpointView:
    """An endpoint that is asked."""
    told = EndpointView(
        id=identity,
        label="127.0.0.1:8000",
        model="my-model",
        state="closed",
        in_flight=250,
        limit=300,
        in_flight_max=512,
        requests_per_minute=600.0,
        requests=4_700,
        answered=4_400,
        throttled=21,
        failed=29,
        jobs=("math",),
    )
    return replace(told, **changes)


def service_view(*jobs: JobView, **changes: Any) -> ServiceView:
    """A service with these jobs."""
    told = ServiceView(
        version="0.1.0",
        started=now(),
        state="running",
        ready=True,
        now=now(),
        uptime_s=4_000.0,
        spend=3.5,
        spend_max=100.0,
        disk_free_bytes=200 * 10**9,
        memory_bytes=300 * 10**6,
        memory_bytes_max=20 * 10**9,
        descriptors=300,
        descriptors_max=65_536,
        loop_lag_s=0.001,
        jobs=jobs,
        endpoints=(endpoint(),),
    )
    return replace(told, **changes)


@dataclass(slots=True)
class StandIn:
    """What the parts that show a service need of one. `said` are the requests that would change something."""

    seen: ServiceView
    counted: Mapping[str, Statistics] = field(default_factory=dict)
    letters: int = 0
    said: list[tuple[str, str, Any]] = field(default_factory=list)

    def view(self) -> ServiceView:
        """The figures, as of now."""
        return replace(self.seen, now=now())

    def statistics(self) -> Mapping[str, Statistics]:
        """Those that were given."""
        return self.counted

    def app(self) -> web.Application:
        """The routes that are tested, and a little of the API around them."""

        @web.middleware
        async def guarded(request: web.Request, handler: Any) -> web.StreamResponse:
            if request.path.startswith("/v1/") and request.headers.get("Authorization") != f"Bearer {TOKEN}":
                return _refused("the token is wrong", 401)
            answer: web.StreamResponse = await handler(request)
            return answer

        app = web.Application(middlewares=[guarded])
        app.add_routes([*page_routes(self), *event_routes(self), *metrics_routes(self)])
        app.router.add_get("/v1/state", self._state)
        app.router.add_get("/v1/jobs/{name}/dead", self._dead)
        app.router.add_get("/v1/jobs/{name}/records", self._records)
        app.router.add_get("/v1/jobs/{name}/config", self._config)
        app.router.add_route("*", "/v1/{rest:.*}", self._changed)
        return app

    async def _state(self, request: web.Request) -> web.Response:
        return _json(self.view().as_dict())

    async def _dead(self, request: web.Request) -> web.Response:
        first, limit = int(request.query.get("after", 0)), int(request.query["limit"])
        numbers = range(first, min(self.letters, first + limit))
        letters = [
            {"id": f"personas-00003:{number}", "reason": "contract", "text": HOSTILE, "response": HOSTILE}
            for number in numbers
        ]
        after = str(numbers.stop) if numbers.stop < self.letters else ""
        return _json({"letters": letters, "next": after})

    async def _records(self, request: web.Request) -> web.Response:
        record = {
            "id": "personas-00003:7",
            "input persona": HOSTILE,
            "synthesized text": HOSTILE,
            "description": "math",
        }
        return _json({"records": [record] * 3})

    async def _config(self, request: web.Request) -> web.Response:
        return web.Response(text=f'[recipe]\ntemplate = "{HOSTILE}"\n')

    async def _changed(self, request: web.Request) -> web.Response:
        told = orjson.loads(await request.read())
        self.said.append((request.method, request.path, told))
        if told.get("name") == "taken":
            return _json(
                {"error": {"message": "there is a job of that name", "hint": "Name it otherwise.", "where": "name"}},
                409,
            )
        return _json({}, 202)


def lasting_port() -> int:
    """A port that is free and stays so: none of those that the system hands out by itself."""
    for port in random.sample(range(20_000, 30_000), 100):
        with socket.socket() as tried, suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def _json(document: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(document), status=status, content_type="application/json")


def _refused(message: str, status: int) -> web.Response:
    return _json({"error": {"message": message, "hint": "Do it otherwise.", "where": ""}}, status)


@asynccontextmanager
async def serving(app: web.Application, port: int = 0) -> AsyncIterator[str]:
    """The app at an address on loopback."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@contextmanager
def served(stand_in: StandIn, port: int = 0) -> Iterator[str]:
    """The stand-in at an address, in a thread: for browsers and other clients that block."""
    ready, ended, found = Event(), Event(), list[str]()

    async def serve() -> None:
        async with serving(stand_in.app(), port) as url:
            found.append(url)
            ready.set()
            await anyio.to_thread.run_sync(ended.wait)

    thread = Thread(target=anyio.run, args=(serve,), daemon=True)
    thread.start()
    try:
        assert ready.wait(30.0)
        yield found[0]
    finally:
        ended.set()
        thread.join(30.0)
