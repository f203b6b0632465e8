"""What the provider `openai` asks for and that the whole prompt is read."""

from typing import Any

import orjson
import pytest

from personastream.errors import Refused
from personastream.providers.openai import Openai
from personastream.records import Prices, Request
from tests.support.raw_server import http, raw_server

REPLY = {"choices": [{"message": {"content": "Fine."}}]}


async def sent(request: Request, reply: dict[str, Any] = REPLY, **settings: Any) -> dict[str, Any]:
    """The body of a request that is answered."""
    async with raw_server(http(200, orjson.dumps(reply))) as server:
        provider = Openai(base_url=server.base_url, model="m", **settings)
        try:
            await provider.complete(request)
        finally:
            await provider.aclose()
        body: dict[str, Any] = orjson.loads(server.bodies[0])
        return body


@pytest.mark.anyio
async def test_parameters_of_a_request_are_sent_as_they_are() -> None:
    body = await sent(Request("Be kind.", "Hello", {"max_tokens": 5, "response_format": {"type": "json_object"}}))
    assert body == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello"}],
        "max_tokens": 5,
        "response_format": {"type": "json_object"},
    }


LONG = Request("s" * 10_000, "u" * 10_000, {})


@pytest.mark.anyio
@pytest.mark.parametrize(("tokens", "cut"), [(2499, True), (2500, False), (1000, True), (999, False), (0, False)])
async def test_a_prompt_that_was_cut_in_silence_is_too_long(tokens: int, cut: bool) -> None:
    reply = {**REPLY, "usage": {"prompt_tokens": tokens}}
    if not cut:
        assert await sent(LONG, reply)
        return
    with pytest.raises(Refused, match="cut the prompt") as caught:
        await sent(LONG, reply)
    assert caught.value.reason == "too_long"
    assert caught.value.body == orjson.dumps(reply)


def test_prices_and_label_are_told() -> None:
    provider = Openai("https://api.openai.com/v1", "m", input_price=2.0, output_price=8.0)
    assert provider.prices == Prices(2.0, 2.0, 8.0)
    assert Openai("http://h:1/v1", "m", input_price=2.0, cached_input_price=0.0).prices == Prices(2.0, 0.0, 0.0)
    assert provider.label == "api.openai.com:443 m"
    assert (provider.weight, provider.pacing) == (1.0, "adaptive")
