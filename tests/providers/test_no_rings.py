"""A failed attempt leaves no ring of objects behind: the garbage collector hardly ever comes to free one."""

import gc
from collections.abc import Iterator

import aiohttp
import pytest

from personastream.errors import AttemptError, Unreachable
from personastream.providers.faults import untraced
from personastream.providers.openai import Openai
from personastream.records import Request
from tests.support.raw_server import Talk, after, hang_up, http, raw_server, reset, silence

pytestmark = pytest.mark.anyio

ERRORS = (aiohttp.ClientError, aiohttp.http.HttpProcessingError, AttemptError)
BODY = b"HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n{"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
FAILURES: dict[str, bytes | Talk] = {
    "an error": http(500, b"{}"),
    "no JSON": http(200, b"?"),
    "compressed": http(200, b"{}", "Content-Encoding: gzip"),
    "closed": hang_up,
    "reset": reset,
    "cut in the head": after(b"HTTP/1.1 20", hang_up),
    "cut in the body": after(BODY, hang_up),
    "reset in the body": after(BODY, reset),
    "cut in a chunk": after(CHUNKED + b"5\r\nab", hang_up),
    "a bad chunk": after(CHUNKED + b"z\r\nab", hang_up),
    "a bad head": after(b"HTTP/1.1 2x0\r\n\r\n", hang_up),
    "nothing": silence,
}


@pytest.fixture
def found_garbage() -> Iterator[list[object]]:
    """What the collector finds while it does not come by itself."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    yield gc.garbage
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


@pytest.mark.parametrize("answer", FAILURES.values(), ids=FAILURES.keys())
async def test_a_failed_attempt_leaves_no_ring_of_objects(answer: bytes | Talk, found_garbage: list[object]) -> None:
    async with raw_server(answer, answer) as server:
        provider = Openai(base_url=server.base_url, model="m", timeout_s=0.5)
        for _ in range(2):
            with pytest.raises(AttemptError):
                await provider.complete(Request("", "Hello", {}))
        await provider.aclose()
    gc.collect()
    assert [each for each in found_garbage if isinstance(each, ERRORS)] == []


async def test_nor_does_a_service_that_is_not_there(found_garbage: list[object]) -> None:
    async with raw_server() as server:
        pass
    for scheme in ("http", "https"):
        provider = Openai(base_url=server.base_url.replace("http", scheme, 1), model="m")
        with pytest.raises(Unreachable):
            await provider.complete(Request("", "Hello", {}))
        await provider.aclose()
    gc.collect()
    assert [each for each in found_garbage if isinstance(each, ERRORS)] == []


def test_an_error_and_all_its_causes_lose_their_frames() -> None:
    def failing() -> None:
        try:
            raise KeyError("first")
        except KeyError as error:
            try:
                raise OSError("second")
            except OSError:
                raise ValueError("third") from error

    with pytest.raises(ValueError, match="third") as caught:
        failing()
    error = untraced(caught.value)
    assert isinstance(error.__cause__, KeyError)
    assert isinstance(error.__context__, OSError)
    assert (error.__traceback__, error.__cause__.__traceback__, error.__context__.__traceback__) == (None, None, None)
    error.__cause__.__cause__ = error
    assert untraced(error) is error, "an error may have caused itself, as libraries tell it"
