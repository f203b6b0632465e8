"""The stream of states: one event a second to all who listen, whatever each of them does."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import anyio
import orjson

from personastream.serve import events
from personastream.serve.view import JobState, ServiceView
from tests.support.stand_in_service import TOKEN, StandIn, job, served, service_view, serving

HEADERS = {"Authorization": f"Bearer {TOKEN}"}


async def until(true: Callable[[], bool]) -> None:
    with anyio.fail_after(60):
        while not true():  # noqa: ASYNC110 - what is looked at has no event
            await anyio.sleep(0.005)


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[Callable[[], Awaitable[dict[str, Any]]]]:
    async with aiohttp.ClientSession(headers=HEADERS) as session, session.get(f"{url}v1/events") as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")

        async def read() -> dict[str, Any]:
            line = await response.content.readline()
            while not line.startswith(b"data: "):
                line = await response.content.readline()
            state: dict[str, Any] = orjson.loads(line.removeprefix(b"data: "))
            return state

        yield read


def test_a_listener_is_told_the_state_again_and_again() -> None:
    stand_in = StandIn(service_view(job("math")))

    async def listen() -> None:
        async with serving(stand_in.app()) as url, listening(url) as read:
            first = await read()
            assert set(first) == set(stand_in.view().as_dict())
            assert first["jobs"][0]["name"] == "math"
            assert first["jobs"][0]["state"] == "running"
            stand_in.seen = replace(stand_in.seen, state="draining")
            while (await read())["state"] != "draining":
                pass

    anyio.run(listen)


def test_later_events_leave_out_what_ended_long_ago() -> None:
    old = job("old", JobState.DONE, ended="2000-01-01T00:00:00Z")
    stand_in = StandIn(service_view(old, job("new", JobState.DONE, ended="2099-01-01T00:00:00Z"), job("math")))

    async def listen() -> None:
        async with serving(stand_in.app()) as url, listening(url) as read:
            assert [each["name"] for each in (await read())["jobs"]] == ["old", "new", "math"]
            assert [each["name"] for each in (await read())["jobs"]] == ["new", "math"]

    anyio.run(listen)


def test_an_event_is_made_once_for_all() -> None:
    looked, seconds = 0, 0.0

    class Counting(StandIn):
        def view(self) -> ServiceView:
            nonlocal looked
            looked += 1
            return super().view()

    async def listen() -> None:
        nonlocal seconds
        began_s = anyio.current_time()
        async with serving(Counting(service_view()).app()) as url, anyio.create_task_group() as listeners:

            async def one() -> None:
                async with listening(url) as read:
                    for _ in range(3):
                        await read()

            for _ in range(20):
                listeners.start_soon(one)
        seconds = anyio.current_time() - began_s

    anyio.run(listen)
    assert looked <= 20 + seconds + 2  # a first event for each, and one a second that all share


def test_one_too_many_is_told_so() -> None:
    async def listen() -> None:
        stream = events.Events(service_view)
        stream._listeners = events.LISTENERS_MAX
        stand_in = StandIn(service_view())
        app = stand_in.app()
        app.router.add_get("/full", stream.answer)
        async with serving(app) as url, aiohttp.ClientSession() as session, session.get(f"{url}full") as response:
            assert response.status == 503
            assert "listeners" in (await response.json())["error"]["message"]

    anyio.run(listen)


def test_a_listener_that_goes_makes_room() -> None:
    stream = events.Events(service_view)

    async def listen() -> None:
        app = StandIn(service_view()).app()
        app.router.add_get("/here", stream.answer)
        async with serving(app) as url:
            async with aiohttp.ClientSession() as session, session.get(f"{url}here") as response:
                await response.content.readline()
                assert stream._listeners == 1
            await until(lambda: stream._listeners == 0)

    anyio.run(listen)


def test_a_listener_that_takes_nothing_is_let_go() -> None:
    big = service_view(*(job(f"job-{number}", why="x" * 10_000) for number in range(400)))
    stream = events.Events(lambda: big, stuck_after_s=0.2)

    async def listen() -> None:
        app = StandIn(service_view()).app()
        app.router.add_get("/here", stream.answer)
        async with serving(app) as url:
            port = int(url.rstrip("/").rpartition(":")[2])
            async with await anyio.connect_tcp("127.0.0.1", port) as stuck:
                await stuck.send(b"GET /here HTTP/1.1\r\nHost: x\r\n\r\n")
                await until(lambda: stream._listeners == 1)
                await until(lambda: stream._listeners == 0)

    anyio.run(listen)


def test_without_the_token_nobody_is_told() -> None:
    with served(StandIn(service_view())) as url:

        async def ask() -> int:
            async with aiohttp.ClientSession() as session, session.get(f"{url}v1/events") as response:
                return response.status

        assert anyio.run(ask) == 401
