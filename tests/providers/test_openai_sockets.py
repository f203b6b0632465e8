"""Whatever a server sends, slowly, too much or not at all, an attempt ends as a completion or a typed error."""

import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import orjson
import pytest

from personastream.errors import (
    AttemptError,
    NotFound,
    Refused,
    StaleConnection,
    Throttled,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from personastream.providers import http as service
from personastream.providers.openai import Openai
from personastream.records import Completion, Request
from tests.support.raw_server import RawServer, Talk, after, endlessly, hang_up, http, raw_server, reset, silence

pytestmark = pytest.mark.anyio

REQUEST = Request("", "a baker in Ghent", {"max_tokens": 5})
BODY = orjson.dumps({"choices": [{"message": {"content": "Fine."}, "finish_reason": "stop"}], "model": "m"})
FINE = http(200, BODY)
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"


@asynccontextmanager
async def connected(*answers: bytes | Talk, **settings: Any) -> AsyncIterator[tuple[RawServer, Openai]]:
    """A server with these answers and a provider that asks it; no attempt may take longer than it should."""
    async with raw_server(*answers) as server:
        provider = Openai(**{"base_url": server.base_url, "model": "m", "timeout_s": 30.0, **settings})
        try:
            with anyio.fail_after(30):
                yield server, provider
        finally:
            await provider.aclose()


async def failure(*answers: bytes | Talk, **settings: Any) -> AttemptError:
    """How one attempt fails."""
    async with connected(*answers, **settings) as (_, provider):
        with pytest.raises(AttemptError) as caught:
            await provider.complete(REQUEST)
        assert caught.value.message.isprintable(), "a message is one line that leaves the cursor where it is"
        return caught.value


async def test_a_plain_answer_is_a_completion_and_the_request_says_what_it_should() -> None:
    async with connected(http(200, BODY, "x-Told: 7")) as (server, provider):
        completion = await provider.complete(Request("Be brief.", "Hello", {"max_tokens": 5, "seed": 1}))
        assert provider.parse(completion.body) == completion._replace(headers=None)
    assert completion[:6] == Completion("Fine.", "stop", "m", 0, 0, BODY)[:6]
    assert completion.headers is not None
    assert completion.headers["X-Told"] == completion.headers["x-told"] == "7"
    assert orjson.loads(server.bodies[0]) == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
        "max_tokens": 5,
        "seed": 1,
    }
    head = server.heads[0].lower()
    assert head.startswith(b"post /v1/chat/completions http/1.1\r\n")
    assert b"\r\naccept-encoding: identity\r\n" in head


async def test_a_connection_is_used_again() -> None:
    async with connected(FINE, FINE, FINE) as (server, provider):
        for _ in range(3):
            await provider.complete(REQUEST)
        assert server.connections == 1


STALE: dict[str, Talk] = {
    "closed": hang_up,
    "reset": reset,
    "closed in the status line": after(b"HTTP/1.1 20", hang_up),
    "reset in the headers": after(HEAD + b"content-le", reset),
}


@pytest.mark.parametrize("end", STALE.values(), ids=STALE.keys())
async def test_a_connection_lost_before_an_answer_is_stale_not_the_rows_fault(end: Talk) -> None:
    assert type(await failure(end)) is StaleConnection


@pytest.mark.parametrize("end", STALE.values(), ids=STALE.keys())
async def test_a_connection_lost_long_after_the_request_may_have_cost_something(
    end: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "STALE_S_MAX", 0.0)
    error = await failure(end)
    assert type(error) is Unavailable
    assert error.billed


@pytest.mark.parametrize("end", [hang_up, reset])
async def test_the_keep_alive_race_is_won_by_asking_again(end: Talk) -> None:
    async with connected(FINE, end, FINE) as (server, provider):
        await provider.complete(REQUEST)
        with pytest.raises(StaleConnection):
            await provider.complete(REQUEST)
        assert (await provider.complete(REQUEST)).text == "Fine."
        assert server.connections == 2


BROKEN: dict[str, bytes | Talk] = {
    "body reset": after(http(200, BODY[:9], length=90), reset),
    "body shorter than its length": after(http(200, BODY[:9], length=90), hang_up),
    "chunk cut": after(CHUNKED + b"40\r\n" + BODY[:9], hang_up),
    "chunk size that is none": CHUNKED + b"ZZ\r\n" + BODY + b"\r\n0\r\n\r\n",
    "cut where only the end of the connection ends the body": after(HEAD + b"\r\n" + BODY[:20], hang_up),
    "another protocol": b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
    "random bytes": bytes(range(256)),
    "a header of 200 kB": HEAD + b"x: " + b"a" * 200_000 + b"\r\ncontent-length: 0\r\n\r\n",
    "200 kB of headers": HEAD + b"x: aaaaaaaa\r\n" * 15_000 + b"content-length: 0\r\n\r\n",
    "a negative length": HEAD + b"content-length: -5\r\n\r\n" + BODY,
    "a length that is no number": HEAD + b"content-length: many\r\n\r\n" + BODY,
    "two lengths": HEAD + b"content-length: 5\r\ncontent-length: 6\r\n\r\n" + BODY,
    "a NUL in a header": http(200, BODY, "x: a\0b"),
    "status 0": http(0, BODY),
    "status 999": http(999, BODY),
    "nothing but the status": http(204),
    "an upgrade": http(101),
    "a compressed body": http(200, gzip.compress(BODY), "content-encoding: gzip"),
    "a compressed bomb": http(200, gzip.compress(bytes(1 << 24)), "content-encoding: gzip"),
    "compression nobody knows": http(200, BODY, "content-encoding: sdch, x"),
    "compressed in transfer": HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "HTML": http(200, b"<!DOCTYPE html><title>Just a moment...</title>", "content-type: text/html"),
    "an empty body": http(200),
    "half a JSON document": http(200, BODY[: len(BODY) // 2]),
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_answer_is_tried_again(answer: bytes | Talk) -> None:
    error = await failure(answer)
    assert type(error) is Unavailable
    assert error.billed or error.message.startswith(("status 101", "status 999"))


SLOW: dict[str, Talk] = {
    "silent": silence,
    "silent after the headers": after(http(200, length=1000), silence),
    "trickling headers": after(HEAD, endlessly(b"x: y\r\n", 0.01)),
    "trickling body": after(http(200, length=1 << 20), endlessly(b" ", 0.01)),
    "endless chunks": after(CHUNKED, endlessly(b"1\r\n \r\n", 0.01)),
    "an endless stream of events": after(CHUNKED, endlessly(b"10\r\n: PROCESSING\n\n  \r\n", 0.01)),
    "a chunk without end": after(CHUNKED + b"ffffffffffffffff\r\n", endlessly(b" ", 0.01)),
    "endless interim answers": endlessly(b"HTTP/1.1 102 Processing\r\n\r\n", 0.01),
}


@pytest.mark.parametrize("talk", SLOW.values(), ids=SLOW.keys())
async def test_a_slow_answer_is_given_up_as_a_whole_however_busy_it_looks(talk: Talk) -> None:
    error = await failure(talk, timeout_s=0.2)
    assert type(error) is Unavailable
    assert error.billed
    assert "within 0.2 s" in error.message


FLOODS: dict[str, Talk] = {
    "without a length": after(HEAD + b"\r\n", endlessly(b" " * 65_536, 0)),
    "with a length": after(http(200, length=1 << 40), endlessly(b" " * 65_536, 0)),
    "in chunks": after(CHUNKED, endlessly(b"10000\r\n" + b" " * 65_536 + b"\r\n", 0)),
    "of an error": after(http(500, length=1 << 40), endlessly(b" " * 65_536, 0)),
}


@pytest.mark.parametrize("talk", FLOODS.values(), ids=FLOODS.keys())
async def test_a_body_too_long_is_not_read_to_its_end(talk: Talk) -> None:
    error = await failure(talk, reply_bytes_max=1 << 20)
    assert type(error) is Unavailable
    assert "over 1048576 bytes" in error.message


async def test_a_length_just_allowed_is_read() -> None:
    body = BODY + b" " * (2048 - len(BODY))
    async with connected(http(200, body), http(200, body + b" "), reply_bytes_max=2048) as (_, provider):
        assert (await provider.complete(REQUEST)).text == "Fine."
        with pytest.raises(Unavailable):
            await provider.complete(REQUEST)


async def test_a_redirect_is_never_followed() -> None:
    async with raw_server(FINE) as elsewhere:
        for status in (301, 302, 303, 307, 308):
            error = await failure(http(status, b"", f"location: {elsewhere.base_url}/x?y=z"))
            assert type(error) is Unauthorized
            assert "127.0.0.1" in error.message
            assert "base_url" in error.hint
        assert elsewhere.connections == 0


async def test_a_cookie_is_not_kept() -> None:
    async with connected(http(200, BODY, "set-cookie: a=b; Path=/"), FINE) as (server, provider):
        await provider.complete(REQUEST)
        await provider.complete(REQUEST)
        assert b"cookie" not in server.heads[1].lower()


async def test_bytes_behind_an_answer_are_not_taken_for_the_next_one() -> None:
    other = http(200, BODY.replace(b"Fine.", b"Wrong"))
    async with connected(FINE + other, FINE) as (_, provider):
        assert (await provider.complete(REQUEST)).text == "Fine."
        assert (await provider.complete(REQUEST)).text == "Fine."


async def test_interim_answers_are_passed_over() -> None:
    async with connected(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + FINE) as (
        _,
        p,
    ):
        assert (await p.complete(REQUEST)).text == "Fine."


async def test_nobody_listening_is_said_with_host_and_port() -> None:
    async with raw_server() as server:
        base_url = server.base_url
    provider = Openai(base_url=base_url, model="m")
    with pytest.raises(Unreachable, match=r"cannot connect to 127\.0\.0\.1:\d+"):
        await provider.complete(REQUEST)
    await provider.aclose()


async def test_a_host_that_no_name_server_knows_is_unreachable() -> None:
    provider = Openai(base_url="http://no-such-host.invalid/v1", model="m", timeout_s=30)
    with pytest.raises(Unreachable, match=r"cannot connect to no-such-host\.invalid:80"):
        await provider.complete(REQUEST)
    await provider.aclose()


TURNED_AWAY: list[tuple[int, type[AttemptError], Callable[[AttemptError], object], object]] = [
    (400, Refused, lambda error: getattr(error, "reason", None), "bad_request"),
    (401, Unauthorized, lambda error: "key" in error.hint, True),
    (404, NotFound, lambda error: "model" in error.hint, True),
    (408, Unavailable, lambda error: error.message, "status 408: no"),
    (429, Throttled, lambda error: getattr(error, "retry_after_s", None), 7.0),
    (503, Throttled, lambda error: getattr(error, "retry_after_s", None), 7.0),
    (500, Unavailable, lambda error: error.message, "status 500: no"),
]


@pytest.mark.parametrize(("status", "kind", "of", "expected"), TURNED_AWAY)
async def test_a_status_becomes_the_error_that_says_what_follows(
    status: int, kind: type[AttemptError], of: Callable[[AttemptError], object], expected: object
) -> None:
    error = await failure(http(status, b'{"error": {"message": "no"}}', "Retry-After: 7"))
    assert type(error) is kind
    assert of(error) == expected


async def test_a_cancelled_attempt_leaves_the_provider_usable() -> None:
    async with connected(silence, FINE) as (_, provider):
        with anyio.move_on_after(0.05):
            await provider.complete(REQUEST)
        assert (await provider.complete(REQUEST)).text == "Fine."
