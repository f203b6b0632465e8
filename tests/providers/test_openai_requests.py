"""What the provider `openai` asks for beyond the prompt: structured output, and that the whole prompt is read."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from personastream.errors import ConfigError, Refused
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
async def test_json_is_asked_for_where_it_is_wanted() -> None:
    request = Request("", "Hello", {})
    assert "response_format" not in await sent(request)
    assert (await sent(request, response_format="json_object"))["response_format"] == {"type": "json_object"}
    own = Request("", "Hello", {"response_format": {"type": "text"}})
    assert (await sent(own, response_format="json_object"))["response_format"] == {"type": "text"}


@pytest.mark.anyio
async def test_a_schema_is_sent_as_it_is_with_a_name_that_is_allowed(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
    file = tmp_path / "one answer, short.json"
    file.write_bytes(orjson.dumps(schema))
    body = await sent(Request("", "Hello", {}), response_schema=str(file))
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "one_answer_short", "strict": True, "schema": schema},
    }


@pytest.mark.parametrize("content", [None, b"", b"[]", b"{", b"\xff"])
def test_a_file_that_is_no_schema_is_refused(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"response_schema .*schema\.json"):
        Openai("http://h/v1", "m", response_schema=str(file))


def test_a_schema_is_a_format_already(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="exclude each other"):
        Openai("http://h/v1", "m", response_format="json_object", response_schema=str(tmp_path / "x.json"))


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
