"""The request that we write ourselves, on a real socket: its head, and which connections are used again."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
import anyio
import pytest
from yarl import URL

from personastream.providers.wire import Reply, Wire
from tests.support.raw_server import RawServer, Talk, after, hang_up, http, raw_server, silence

pytestmark = pytest.mark.anyio

FINE = http(200, b"{}")


class Refuses(Exception):
    """The reader of a body wants no more of it."""


async def whole(_: Mapping[str, str], content: aiohttp.StreamReader) -> bytes:
    return await content.read()


@asynccontextmanager
async def wired(
    *answers: bytes | Talk, headers: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[RawServer, Wire]]:
    async with raw_server(*answers) as server, aiohttp.TCPConnector(limit=0) as connector:
        with anyio.fail_after(30):
            url = URL(server.base_url + "/chat?v=1")
            yield server, Wire(connector, url, headers or {}, aiohttp.ClientTimeout(total=None, sock_connect=5))


async def test_the_head_says_where_to_and_how_long_the_body_is() -> None:
    async with wired(FINE, headers={"Authorization": "Bearer k", "Accept-Encoding": "identity"}) as (server, wire):
        reply = await wire.post(b'{"a": 1}', whole)
    assert (reply.status, reply.body, reply.headers["content-length"]) == (200, b"{}", "2")
    first, *headers = server.heads[0].decode().removesuffix("\r\n\r\n").split("\r\n")
    assert first == "POST /v1/chat?v=1 HTTP/1.1"
    named = {name.lower(): value for name, _, value in (line.partition(": ") for line in headers)}
    assert len(named) == len(headers), "a header is there twice"
    assert named["host"] == server.base_url.removeprefix("http://").removesuffix("/v1")
    assert named["authorization"] == "Bearer k"
    assert named["accept-encoding"] == "identity"
    assert named["content-length"] == "8"
    assert server.bodies == [b'{"a": 1}']


@pytest.mark.parametrize(
    ("address", "host"),
    [("http://[::1]:8000/v1", "[::1]:8000"), ("http://127.0.0.1/v1", "127.0.0.1"), ("https://h.test/v1", "h.test")],
)
async def test_the_host_is_written_as_http_wants_it(address: str, host: str) -> None:
    async with aiohttp.TCPConnector() as connector:
        wire = Wire(connector, URL(address), {}, aiohttp.ClientTimeout())
        assert f"\r\nHost: {host}\r\n".encode() in wire.head


@pytest.mark.parametrize("value", ["a\r\nX: b", "a\nb", "a\0b"])
async def test_no_header_holds_a_line_break(value: str) -> None:
    async with aiohttp.TCPConnector() as connector:
        with pytest.raises(ValueError, match="line break"):
            Wire(connector, URL("http://127.0.0.1:1/v1"), {"Authorization": value}, aiohttp.ClientTimeout())


async def test_what_comes_before_the_answer_is_passed_over() -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n"
    async with wired(early + FINE, FINE) as (server, wire):
        assert [(await wire.post(b"1", whole)).status for _ in range(2)] == [200, 200]
        assert server.connections == 1


async def test_other_protocols_are_no_answer() -> None:
    async with wired(b"HTTP/1.1 101 X\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n", FINE) as (server, wire):
        assert (await wire.post(b"1", whole)).status == 101
        assert (await wire.post(b"2", whole)).status == 200
        assert server.connections == 2


async def test_connections_are_used_again_after_any_status() -> None:
    async with wired(http(500, b"no"), FINE, http(429, b"wait"), FINE) as (server, wire):
        assert [(await wire.post(b"1", whole)).status for _ in range(4)] == [500, 200, 429, 200]
        assert server.connections == 1


@pytest.mark.parametrize(
    "body", [b"\r\n{}", b"content-length: 2\r\n\r\n{}", b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"]
)
async def test_a_connection_that_the_server_will_close_is_not_used_again(body: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\n" + body
    async with wired(after(answer, hang_up), FINE) as (server, wire):
        assert [(await wire.post(b"1", whole)).body for _ in range(2)] == [b"{}", b"{}"]
        assert server.connections == 2


async def test_bytes_that_nobody_asked_for_end_a_connection() -> None:
    async with wired(FINE + b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nstolen", FINE) as (server, wire):
        replies = [(await wire.post(b"1", whole)).body for _ in range(2)]
        assert replies == [b"{}", b"{}"]
        assert server.connections == 2


async def test_a_request_that_is_cancelled_leaves_no_answer_behind_for_the_next_one() -> None:
    asked, late = asyncio.Event(), asyncio.Event()

    async def answers_late(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await late.wait()
        writer.write(http(200, b"for the first"))

    async with wired(answers_late, http(200, b"for the second")) as (server, wire):
        async with anyio.create_task_group() as group:
            group.start_soon(wire.post, b"1", whole)
            await asked.wait()
            group.cancel_scope.cancel()
        late.set()
        assert (await wire.post(b"2", whole)).body == b"for the second"
        assert server.connections == 2


async def test_a_reader_that_wants_no_more_ends_the_connection() -> None:
    async def refuse(_: Mapping[str, str], content: aiohttp.StreamReader) -> bytes:
        raise Refuses

    async with wired(http(200, b"x" * 100), FINE) as (server, wire):
        with pytest.raises(Refuses):
            await wire.post(b"1", refuse)
        assert (await wire.post(b"2", whole)).body == b"{}"
        assert server.connections == 2


async def test_a_reply_without_a_length_ends_with_the_connection() -> None:
    async with wired(after(b"HTTP/1.0 200 OK\r\n\r\n{}", hang_up)) as (_, wire):
        assert (await wire.post(b"1", whole)).body == b"{}"


async def test_many_at_once_get_the_answers_to_their_own_requests() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http(200, server.bodies[-1]))

    async with wired(*[echo] * 200) as (server, wire):
        replies: dict[int, Reply] = {}

        async def ask(number: int) -> None:
            replies[number] = await wire.post(b"%d" % number, whole)

        async with anyio.create_task_group() as group:
            for number in range(200):
                group.start_soon(ask, number)
    assert {number: int(reply.body) for number, reply in replies.items()} == {n: n for n in range(200)}


async def test_a_server_that_says_nothing_is_left_by_whoever_waits() -> None:
    async with wired(silence, FINE) as (server, wire):
        with anyio.move_on_after(0.05) as patience:
            await wire.post(b"1", whole)
        assert patience.cancelled_caught
        assert (await wire.post(b"2", whole)).body == b"{}"
        assert server.connections == 2
