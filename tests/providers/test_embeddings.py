"""Vectors for texts: in order, complete and sound, or a typed error."""

from base64 import b64encode
from contextlib import suppress
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.build import adapter_class, known
from personastream.errors import AttemptError, ConfigError, Throttled, Unavailable
from personastream.providers.embeddings import EmbeddingsClient, vectors
from tests.support.effort import tries
from tests.support.raw_server import http, raw_server


def item(index: Any, embedding: Any) -> dict[str, Any]:
    return {"object": "embedding", "index": index, "embedding": embedding}


def reply(*items: dict[str, Any], tokens: Any = 9) -> bytes:
    return orjson.dumps({"object": "list", "data": items, "model": "m", "usage": {"total_tokens": tokens}})


async def embed(answer: bytes, *texts: str) -> tuple[Any, list[bytes]]:
    """(what comes back, the requests' bodies)."""
    async with raw_server(answer) as server:
        client = EmbeddingsClient(base_url=server.base_url, model="m", api_key_env="NO_SUCH_KEY")
        try:
            return await client.embed(texts), server.bodies
        finally:
            await client.aclose()


@pytest.mark.anyio
async def test_vectors_come_in_the_order_of_their_texts_whatever_the_order_of_the_reply() -> None:
    answer = http(200, reply(item(1, [3.0, 4.5]), item(0, [1, 2])))
    (found, tokens), bodies = await embed(answer, "one", "two")
    assert found.dtype == np.float32
    assert found.tolist() == [[1.0, 2.0], [3.0, 4.5]]
    assert tokens == 9
    assert orjson.loads(bodies[0]) == {"model": "m", "input": ["one", "two"], "encoding_format": "float"}


@pytest.mark.anyio
async def test_nothing_is_asked_for_no_texts() -> None:
    (found, tokens), bodies = await embed(http(500))
    assert (found.shape, tokens, bodies) == ((0, 0), 0, [])


@pytest.mark.anyio
async def test_an_error_is_typed() -> None:
    with pytest.raises(Throttled):
        await embed(http(429, b"{}"), "one")
    with pytest.raises(Throttled):
        await embed(http(200, b'{"error": {"code": 429}}'), "one")


def test_base64_is_understood() -> None:
    packed = b64encode(np.array([0.5, -2.0], "<f4").tobytes()).decode()
    found, _ = vectors(reply(item(0, packed)), 1)
    assert found.tolist() == [[0.5, -2.0]]


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"{}", b'{"data": null}', b'{"data": []}', reply(item(0, [1.0])),
     reply(item(0, [1.0]), item(0, [1.0])),
     reply(item(0, [1.0]), item(2, [1.0])), reply(item(0, [1.0]), item(1, [1.0]), item(1, [1.0])),
     reply(item(0, [1.0]), item(1, [1.0]), item(2, [1.0])), reply(item(0, [1.0]), item(1, [1.0, 2.0])),
     reply(item(0, [[1.0]]), item(1, [[1.0]])), reply(item(0, [1.0]), item(1, [1e39])), reply(item(0, []), item(1, [])),
     reply(item(0, [1.0]), item(1, None)), reply(item(0, "AAAA"), item(1, "AAAA")), reply(item(0, "?"), item(1, "?")),
     reply(item([], [1.0]), item(1, [1.0])), reply(item(0, 1.0), item(1, 1.0))],
)  # fmt: skip
def test_what_is_not_one_sound_vector_for_each_text_is_no_answer(body: bytes) -> None:
    with pytest.raises(Unavailable):
        vectors(body, 2)


def test_a_count_that_cannot_be_true_is_no_count() -> None:
    assert vectors(reply(item(0, [1.0]), tokens="9"), 1)[1] == 0


def test_it_is_no_provider_that_a_run_could_name() -> None:
    assert "embeddings" not in known("provider")
    with pytest.raises(ConfigError):
        adapter_class("provider", "embeddings", "[provider]")


keys = st.sampled_from(["data", "index", "embedding", "usage", "total_tokens", "error"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=tries(50), deadline=None)
@given(
    st.dictionaries(keys, values).map(orjson.dumps)
    | st.lists(values, max_size=2).map(lambda v: reply(*(item(0, one) for one in v)))
)
def test_no_body_breaks_the_reading_of_vectors(body: bytes) -> None:
    for texts in (1, 2):
        with suppress(AttemptError):
            vectors(body, texts)
