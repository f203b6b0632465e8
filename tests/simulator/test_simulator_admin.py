"""Orders to a running simulator, its script, and its deaths: over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import uvloop

from personastream.simulator.behaviour import Behaviour
from personastream.simulator.script import parse_script
from personastream.simulator.server import serve
from personastream.simulator.simulator import Simulator


class Client:
    """Asks a simulator."""

    def __init__(self, simulator: Simulator, session: aiohttp.ClientSession) -> None:
        self.simulator, self.session = simulator, session
        self.root = simulator.base_url.removesuffix("/v1")

    async def chat(self, persona: str = "A nurse", **more: Any) -> int:
        """The status of an answer that was read."""
        body = {"model": "m", "messages": [{"role": "user", "content": persona}], **more}
        async with self.session.post(f"{self.root}/v1/chat/completions", json=body) as reply:
            await reply.read()
            return reply.status

    async def order(self, path: str, told: Any) -> tuple[int, Any]:
        async with self.session.post(self.root + path, json=told) as reply:
            return reply.status, await reply.json()

    async def get(self, path: str) -> Any:
        async with self.session.get(self.root + path) as reply:
            return await reply.json() if reply.content_type == "application/json" else await reply.text()


@asynccontextmanager
async def running(behaviour: Behaviour, script: Sequence[Mapping[str, Any]] = ()) -> AsyncIterator[Client]:
    steps = parse_script(script, behaviour)
    async with serve(behaviour, script=steps) as simulator, aiohttp.ClientSession() as session:
        yield Client(simulator, session)


async def until_refused(client: Client) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await client.chat()
            except aiohttp.ClientConnectorError:
                return
            except aiohttp.ClientError:  # a connection from before, cut
                continue


async def until_back(client: Client) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await client.chat()
                return
            except aiohttp.ClientError:
                await asyncio.sleep(0.01)


def test_the_behaviour_changes_while_it_runs() -> None:
    async def main() -> None:
        async with running(Behaviour()) as client:
            assert await client.chat() == 200
            status, shown = await client.order("/admin/behaviour", {"faults": {"500": 1}, "latency_s": 0.001})
            assert (status, shown["faults"], shown["latency_s"]) == (200, {"500": 1}, 0.001)
            assert await client.chat() == 500
            client.simulator.change(faults={})
            assert await client.chat() == 200
            assert (await client.get("/admin/behaviour"))["latency_s"] == 0.001

    asyncio.run(main())


@pytest.mark.parametrize("order", [{"sped": 1}, {"speed": "x"}, [], 5, {"dead_s": -1}])
def test_a_wrong_order_is_refused_and_changes_nothing(order: Any) -> None:
    async def main() -> None:
        async with running(Behaviour()) as client:
            before = await client.get("/admin/behaviour")
            status, error = await client.order("/admin/behaviour", order)
            assert status == 400
            assert error["error"]["message"]
            assert await client.get("/admin/behaviour") == before

    asyncio.run(main())


def test_bodies_tell_how_often_each_was_answered() -> None:
    async def main() -> None:
        async with running(Behaviour()) as client:
            for persona in ("A nurse", "A nurse", "A cook"):
                await client.chat(persona)
            client.simulator.change(faults={"cut-close": 1})
            await client.chat("A cook")
            client.simulator.change(faults={"500": 1})
            await client.chat("A judge")
            bodies = (await client.get("/admin/bodies")).values()
            counts = sorted((body["asked"], body["generated"], body["answered"]) for body in bodies)
            assert counts == [(1, 0, 0), (2, 2, 1), (2, 2, 2)]
            stats = client.simulator.stats()
            assert (stats["bodies"], stats["bodies_generated"], stats["bodies_generated_again"]) == (3, 2, 2)
            assert stats["generated"] == 4
            assert stats["generated_output_tokens"] > stats["output_tokens"] > 0

    asyncio.run(main())


def test_limits_that_change_keep_their_share() -> None:
    async def main() -> None:
        async with running(Behaviour(requests_per_minute=1000, burst_s=6)) as client:
            assert [await client.chat(str(n)) for n in range(50)] == [200] * 50  # half of the bucket
            client.simulator.change(requests_per_minute=100)
            statuses = [await client.chat(str(n)) for n in range(50, 60)]
            assert 4 <= statuses.count(200) <= 7

    asyncio.run(main())


def test_a_script_by_requests() -> None:
    async def main() -> None:
        async with running(Behaviour(), [{"after": 3, "until": 5, "faults": {"500": 1.0}}]) as client:
            assert [await client.chat(str(n)) for n in range(7)] == [200, 200, 200, 500, 500, 200, 200]

    asyncio.run(main())


def test_a_script_by_seconds_starts_with_the_first_request() -> None:
    async def main() -> None:
        async with running(Behaviour(), [{"at_s": 0.05, "until_s": 0.1, "output_tokens": 7}]) as client:
            await asyncio.sleep(0.06)
            assert client.simulator.behaviour.output_tokens == 120
            await client.chat()
            for wanted in 7, 120:
                async with asyncio.timeout(30):
                    while client.simulator.behaviour.output_tokens != wanted:  # noqa: ASYNC110 - nobody tells
                        await asyncio.sleep(0)

    asyncio.run(main())


def test_another_script_counts_from_the_next_request() -> None:
    async def main() -> None:
        async with running(Behaviour(), [{"after": 1, "faults": {"500": 1.0}}]) as client:
            assert [await client.chat(str(n)) for n in range(3)] == [200, 500, 500]
            status, _ = await client.order("/admin/script", [{"after": 2, "until": 3, "faults": {"503": 1.0}}])
            assert status == 200
            assert [await client.chat(str(n)) for n in range(3, 8)] == [200, 200, 503, 200, 200]
            assert (await client.order("/admin/script", {"after": 2}))[0] == 400
            await client.order("/admin/script", [])
            assert await client.chat("9") == 200

    asyncio.run(main())


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_dead_endpoint_refuses_connections_and_comes_back(run: Any) -> None:
    async def main() -> None:
        async with running(Behaviour()) as client:
            assert await client.chat() == 200
            await client.order("/admin/behaviour", {"dead_s": 0.2})
            await until_refused(client)
            await until_back(client)
            client.simulator.change(dead_s=600)
            await until_refused(client)
            client.simulator.change(dead_s=0)
            await until_back(client)

    run(main())


def test_a_death_cuts_what_is_in_flight() -> None:
    async def main() -> None:
        async with running(Behaviour(latency_s=600), [{"after": 2, "dead_s": 600}]) as client:
            waiting = [asyncio.ensure_future(client.chat(str(n))) for n in range(3)]
            for each in waiting:
                with pytest.raises(aiohttp.ClientError):
                    await each
            await until_refused(client)
            assert client.simulator.stats()["outcomes"] == {"gone": 2, "dead": 1}
            assert client.simulator.stats()["abandoned"] == 2

    asyncio.run(main())


def test_a_script_kills_once() -> None:
    async def main() -> None:
        script = [{"after": 1, "dead_s": 600}, {"after": 3, "output_tokens": 7}]
        async with running(Behaviour(), script) as client:
            assert await client.chat("0") == 200
            with pytest.raises(aiohttp.ClientError):
                await client.chat("1")  # the one that kills
            client.simulator.change(dead_s=0)
            await until_back(client)
            assert [await client.chat(str(n)) for n in range(3, 6)] == [200] * 3
            assert client.simulator.behaviour.output_tokens == 7

    asyncio.run(main())


def test_a_dead_endpoint_may_drop_connections_instead() -> None:
    async def main() -> None:
        async with running(Behaviour()) as client:
            client.simulator.change(dead_s=600, dead_how="drop")
            for _ in range(3):
                with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
                    await client.chat()
            client.simulator.change(dead_s=0)
            assert await client.chat() == 200

    asyncio.run(main())


def test_a_dead_endpoint_may_hang_instead() -> None:
    async def main() -> None:
        async with running(Behaviour()) as client:
            client.simulator.change(dead_s=600, dead_how="hang")
            waiting = asyncio.ensure_future(client.chat())
            while client.simulator.stats()["in_flight"] == 0:  # noqa: ASYNC110
                await asyncio.sleep(0)
            waiting.cancel()
            client.simulator.change(dead_s=0)
            assert await client.chat() == 200

    asyncio.run(main())


def test_a_batching_server_queues_and_tells_its_gauges() -> None:
    async def main() -> None:
        async with running(Behaviour(slots=2, queue_max=3, step_s=60, step_growth_s=0, latency_s=0.001)) as client:
            waiting = [asyncio.ensure_future(client.chat(str(n))) for n in range(5)]
            while client.simulator.stats()["waiting"] < 3:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0)
            assert client.simulator.stats()["running"] == 2
            assert await client.chat("one too many") == 503
            assert "vllm:num_requests_waiting 3\n" in await client.get("/metrics")
            waiting[0].cancel()
            while client.simulator.stats()["waiting"] == 3:  # noqa: ASYNC110
                await asyncio.sleep(0)
            assert (client.simulator.stats()["running"], client.simulator.stats()["waiting"]) == (2, 2)
            client.simulator.change(step_s=0.00001)
            assert await asyncio.gather(*waiting[1:]) == [200] * 4
            assert client.simulator.stats()["outcomes"] == {"ok": 4, "503-queue": 1, "gone": 1}

    asyncio.run(main())


def test_generation_takes_the_time_of_its_steps() -> None:
    async def main() -> None:
        async with running(Behaviour(slots=4, step_s=0.0005, step_growth_s=0, output_tokens=60)) as client:
            loop, started_s = asyncio.get_running_loop(), asyncio.get_running_loop().time()
            assert await asyncio.gather(*(client.chat(str(n)) for n in range(16))) == [200] * 16
            tokens = client.simulator.stats()["generated_output_tokens"]
            assert loop.time() - started_s >= tokens * 0.0005 / 4 * 0.99  # four at a time, and no faster

    asyncio.run(main())
