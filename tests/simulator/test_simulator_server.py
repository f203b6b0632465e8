"""The running simulator, asked with a real client."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import orjson
import pytest
import uvloop

from personastream.errors import CannotCreate, ConfigError
from personastream.simulator.behaviour import Behaviour
from personastream.simulator.fault_errors import ERRORS
from personastream.simulator.faults import FAULTS, Work
from personastream.simulator.server import serve, serve_in_thread
from personastream.simulator.simulator import Simulator


class Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


Ask = Callable[[str], Awaitable[Reply]]


def body(persona: str) -> dict[str, Any]:
    content = f'Start with "Math problem:".\n<persona>\n{persona}\n</persona>\n'
    return {"model": "m", "messages": [{"role": "user", "content": content}]}


@asynccontextmanager
async def asking(behaviour: Behaviour) -> AsyncIterator[tuple[Simulator, Ask]]:
    """A simulator, and a function that asks it about a persona and reads the whole reply."""
    async with (
        serve(behaviour) as simulator,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), auto_decompress=False) as session,
    ):

        async def ask(persona: str) -> Reply:
            url = f"{simulator.base_url}/chat/completions"
            async with session.post(url, json=body(persona), allow_redirects=False) as reply:
                return Reply(reply.status, reply.headers, await reply.read())

        yield simulator, ask


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - the counters belong to the simulator, which has nobody to tell
            await asyncio.sleep(0)


def balance(stats: Mapping[str, Any]) -> int:
    return int(stats["arrivals"] - stats["in_flight"] - sum(stats["outcomes"].values()))


def test_a_completion_is_answered_and_counted() -> None:
    async def main() -> None:
        async with asking(Behaviour()) as (simulator, ask):
            reply = await ask("A nurse")
            read = orjson.loads(reply.body)
            assert read["choices"][0]["message"]["content"].startswith("Math problem: ")
            assert reply.headers["Content-Type"] == "application/json"
            stats = simulator.stats()
            assert stats["outcomes"] == {"ok": 1}
            assert stats["input_tokens"] == read["usage"]["prompt_tokens"]
            assert stats["output_tokens"] == read["usage"]["completion_tokens"]
            assert stats["first_arrival_s"] <= stats["now_s"]

    asyncio.run(main())


def test_models_and_stats_are_shown() -> None:
    async def main() -> None:
        async with serve(Behaviour(model="tiny")) as simulator, aiohttp.ClientSession() as session:
            async with session.get(f"{simulator.base_url}/models") as reply:
                assert [entry["id"] for entry in (await reply.json())["data"]] == ["tiny"]
            async with session.get(simulator.base_url.removesuffix("/v1") + "/stats") as reply:
                assert set(await reply.json()) == set(simulator.stats())

    asyncio.run(main())


def test_a_key_is_demanded_everywhere_but_for_stats() -> None:
    async def main() -> None:
        async with serve(Behaviour(key="k")) as simulator, aiohttp.ClientSession() as session:
            for headers, status in ({}, 401), ({"Authorization": "Bearer k"}, 200):
                async with session.get(f"{simulator.base_url}/models", headers=headers) as reply:
                    assert reply.status == status
                url = f"{simulator.base_url}/chat/completions"
                async with session.post(url, json=body("x"), headers=headers) as reply:
                    assert reply.status == status
            async with session.get(simulator.base_url.removesuffix("/v1") + "/stats") as reply:
                assert (await reply.json())["outcomes"] == {"unauthorized": 1, "ok": 1}

    asyncio.run(main())


ENDLESS = {"hang", "trickle"}
BROKEN: Mapping[str, type[Exception]] = {
    "drop": aiohttp.ServerDisconnectedError,
    "reset": aiohttp.ClientOSError,
    "cut": aiohttp.ClientPayloadError,
    "cut-chunked": aiohttp.ClientPayloadError,
    "huge-headers": aiohttp.ClientResponseError,
}
"""What a client makes of connections that break, and of what it is not made for."""


@pytest.mark.parametrize("name", sorted(FAULTS.keys() - ENDLESS))
def test_a_client_sees_each_fault(name: str) -> None:
    async def main() -> None:
        async with asking(Behaviour(faults={name: 1.0}, latency_s=0.001)) as (simulator, ask):
            if name in BROKEN:
                with pytest.raises(BROKEN[name]):
                    await ask("A nurse")
            else:
                reply = await ask("A nurse")
                assert reply.status == (ERRORS[name].status if name in ERRORS else 200)
            stats = simulator.stats()
            assert stats["outcomes"] == {name: 1}
            assert stats["generated"] == (FAULTS[name].work is not Work.NONE)
            assert (stats["output_tokens"] > 0) == (FAULTS[name].work is Work.WHOLE)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("behaviour", "outcome"), [({"faults": {"hang": 1.0}}, "hang"), ({"latency_s": 600.0}, "gone")]
)
def test_a_client_that_gives_up_ends_its_request(behaviour: dict[str, Any], outcome: str) -> None:
    async def main() -> None:
        async with asking(Behaviour(**behaviour)) as (simulator, ask):
            waiting = [asyncio.ensure_future(ask(f"Person {number}")) for number in range(200)]
            await until(lambda: simulator.stats()["in_flight"] == 200)
            assert simulator.stats()["outcomes"] == {}
            for each in waiting:
                each.cancel()
            await until(lambda: simulator.stats()["in_flight"] == 0)
            assert simulator.stats()["outcomes"] == {outcome: 200}
            assert simulator.stats()["in_flight_max"] == 200

    asyncio.run(main())


def test_a_request_given_up_is_not_answered_later() -> None:
    async def main() -> None:
        async with asking(Behaviour(latency_s=0.05)) as (simulator, ask):
            waiting = [asyncio.ensure_future(ask(f"Person {number}")) for number in range(10)]
            await until(lambda: simulator.stats()["in_flight"] == 10)
            for each in waiting:
                each.cancel()
            await ask("Somebody whose answer is due after theirs")
            assert simulator.stats()["outcomes"] == {"gone": 10, "ok": 1}
            assert simulator.stats()["in_flight"] == 0

    asyncio.run(main())


def test_asking_again_what_was_answered_is_counted() -> None:
    async def main() -> None:
        async with asking(Behaviour()) as (simulator, ask):
            first, again = await ask("A nurse"), await ask("A nurse")
            assert first.body == again.body
            assert simulator.stats()["repeats_of_answered"] == simulator.stats()["repeats"] == 1

    asyncio.run(main())


def test_every_request_has_one_end_whatever_happens() -> None:
    rates = dict.fromkeys(sorted(FAULTS.keys() - ENDLESS - {"oversized", "gzip-bomb"}), 0.01)

    async def main() -> None:
        async with asking(Behaviour(faults=rates, latency_s=0.002, latency_sigma=1.0)) as (simulator, ask):
            asked = (ask(f"Person {number % 200}") for number in range(300))
            results = await asyncio.gather(*asked, return_exceptions=True)
            stats = simulator.stats()
            assert stats["arrivals"] == len(results) == 300
            assert stats["repeats"] == 100
            assert balance(stats) == stats["in_flight"] == 0
            assert set(stats["outcomes"]) <= {"ok", *rates}

    uvloop.run(main())


def test_the_log_has_a_line_for_every_request(tmp_path: Path) -> None:
    log = tmp_path / "asked.jsonl"

    async def main() -> None:
        async with asking(Behaviour(log=log, faults={"poison": 0.5})) as (simulator, ask):
            for number in range(40):
                await ask(f"Person {number % 20}")
            lines = [orjson.loads(line) for line in log.read_bytes().splitlines()]
            assert [line["persona"] for line in lines] == [f"Person {number % 20}" for number in range(40)]
            assert [line["asked_before"] for line in lines] == [0] * 20 + [1] * 20
            assert [line["outcome"] for line in lines[:20]] == [line["outcome"] for line in lines[20:]]
            assert {line["outcome"] for line in lines} == {"ok", "poison"}
            assert len({line["body"] for line in lines}) == 20
            first, last = simulator.stats()["first_arrival_s"], simulator.stats()["last_arrival_s"]
            assert [lines[0]["arrived_s"], lines[-1]["arrived_s"]] == [first, last]
            assert all(line["arrived_s"] <= line["ended_s"] for line in lines)

    asyncio.run(main())
    with serve_in_thread(Behaviour(log=log)):
        assert len(log.read_bytes().splitlines()) == 40  # it is appended to, never cut


def test_stopping_cuts_what_is_waiting_and_logs_it(tmp_path: Path) -> None:
    log = tmp_path / "asked.jsonl"

    async def main() -> None:
        async with aiohttp.ClientSession() as session:
            async with serve(Behaviour(latency_s=600.0, log=log)) as simulator:
                url = f"{simulator.base_url}/chat/completions"
                waiting = asyncio.ensure_future(session.post(url, json=body("A nurse")))
                await until(lambda: simulator.stats()["in_flight"] == 1)
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await waiting
            assert simulator.stats()["in_flight"] == simulator.stats()["connections"] == 0

    asyncio.run(main())
    assert [orjson.loads(line)["outcome"] for line in log.read_bytes().splitlines()] == ["gone"]


def test_it_listens_on_loopback_of_either_family_and_nowhere_else() -> None:
    with serve_in_thread(Behaviour(), host="::1") as simulator:
        assert simulator.base_url.startswith("http://[::1]:")
    with serve_in_thread(Behaviour(), host="localhost") as simulator:
        assert simulator.base_url.startswith("http://127.0.0.1:")
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org", ""):
        with pytest.raises(ConfigError), serve_in_thread(Behaviour(), host=host):
            pytest.fail("it listens")


def test_a_port_in_use_is_an_error_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotCreate, match=str(port)), serve_in_thread(Behaviour(), port=port):
            pytest.fail("it listens")


def test_a_log_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(CannotCreate, match="nowhere"), serve_in_thread(Behaviour(log=tmp_path / "nowhere" / "x")):
        pytest.fail("it runs")
