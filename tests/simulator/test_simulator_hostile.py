"""Whatever a client sends to whatever path, it gets one answer, and the simulator lives on."""

import asyncio
from typing import Any, cast

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.simulator.behaviour import Behaviour
from personastream.simulator.connection import Connection
from personastream.simulator.simulator import Simulator
from tests.support.effort import tries

PATHS = (
    "chat/completions",
    "messages",
    "models",
    "models/m",
    "embeddings",
    "files",
    "files/file-1",
    "files/%ff%fe/content",
    "files/é",
    "batches",
    "batches?limit=1&after=%ff",
    "batches/x/cancel",
    "messages/batches",
    "messages/batches?limit=²",
    "messages/batches/x/results",
    "../admin/behaviour",
)
METHODS = ("GET", "POST", "DELETE", "PUT")
CONTENT_TYPES = (b"application/json", b"multipart/form-data; boundary=a", b'multipart/form-data; boundary="', b"\xff")
texts = st.text(st.characters(codec="utf-8"), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
KEYS = (
    "model",
    "messages",
    "max_tokens",
    "input",
    "requests",
    "input_file_id",
    "metadata",
    "endpoint",
    "faults",
    "dead_s",
)
documents = st.dictionaries(st.sampled_from(KEYS), values, max_size=6)
bodies = (
    st.binary(max_size=60) | documents.map(orjson.dumps) | documents.map(lambda d: orjson.dumps({"model": "m"} | d))
)


class Wire:
    """The client's end, as a transport: keeps what is written."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return False

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None: ...

    def abort(self) -> None: ...


@pytest.mark.slow
def test_every_request_gets_one_answer() -> None:
    async def make() -> Simulator:
        return Simulator(Behaviour(), (), None, lambda _: None)

    async def ask(sent: bytes) -> bytes:
        wire: Any = Wire()
        connection = Connection(simulator, lambda _: 1000)
        connection.connection_made(cast(asyncio.Transport, wire))
        connection.data_received(sent)
        written: bytes = wire.written
        return written

    @settings(max_examples=tries(300))
    @given(st.sampled_from(METHODS), st.sampled_from(PATHS), bodies, st.sampled_from(CONTENT_TYPES))
    def check(method: str, path: str, body: bytes, content_type: bytes) -> None:
        head = f"{method} /v1/{path} HTTP/1.1\r\nanthropic-version: 1\r\ncontent-length: {len(body)}\r\n".encode()
        got = runner.run(ask(head + b"content-type: " + content_type + b"\r\n\r\n" + body))
        told, _, answer = got.partition(b"\r\n\r\n")
        assert told.count(b"HTTP/1.1 ") == 1
        assert int(told.split()[1]) in (200, 400, 404, 405, 413)
        assert isinstance(orjson.loads(answer), dict)

    with asyncio.Runner() as runner:
        simulator = runner.run(make())
        check()
