"""The OpenAI chat format."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.simulator.chat import Chat
from personastream.simulator.dialect import InvalidRequest, Tokens
from personastream.simulator.replies import Reply
from tests.support.effort import tries

texts = st.text(st.characters(codec="utf-8"))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
CHAT = Chat(b"fp_1")
USER = [{"role": "user", "content": "Hello"}]


def body(**changed: Any) -> bytes:
    return orjson.dumps({"model": "m", "messages": USER, **changed})


def test_a_whole_request_is_read() -> None:
    asked = CHAT.parse(
        body(
            messages=[
                {"role": "system", "content": "Be brief."},
                {"role": "developer", "content": "Be kind."},
                {"role": "user", "content": "First"},
                {"role": "assistant", "content": None},
                {"role": "user", "content": [{"type": "text", "text": "La"}, {"type": "image_url"}, {"text": "st"}]},
            ],
            max_tokens=5,
            max_completion_tokens=7,
            n=2,
        )
    )
    assert (asked.model, asked.system, asked.user) == ("m", "Be brief.\nBe kind.", "Last")
    assert (asked.tokens_max, asked.choices) == (7, 2)
    assert asked.input_tokens == 5 * 4 + 3 + 2 + 2 + 0 + 1


def test_left_out_and_null_counts_mean_no_limit() -> None:
    assert CHAT.parse(body())[4:6] == (None, 1)
    assert CHAT.parse(body(max_tokens=None, n=None))[4:6] == (None, 1)
    assert CHAT.parse(body(max_tokens=9))[4:6] == (9, 1)


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        (b"", None),
        (b"{", None),
        (b"[]", None),
        (b'"\\ud800"', None),
        (b"[" * 100_000, None),
        (b"\xff", None),
        (body(model=None), "model"),
        (body(model=""), "model"),
        (body(messages=None), "messages"),
        (body(messages=[]), "messages"),
        (body(messages=["hello"]), "messages[0]"),
        (body(messages=[*USER, {"content": "no role"}]), "messages[1]"),
        (body(messages=[{"role": "user", "content": 5}]), "messages[0].content"),
        (body(messages=[{"role": "user", "content": ["x"]}]), "messages[0].content"),
        (body(messages=[{"role": "user", "content": [{"text": 1}]}]), "messages[0].content"),
        (body(max_tokens=0), "max_tokens"),
        (body(max_tokens=True), "max_tokens"),
        (body(max_tokens=1.5), "max_tokens"),
        (body(max_completion_tokens="9"), "max_completion_tokens"),
        (body(n=129), "n"),
        (body(stream=True), "stream"),
    ],
)
def test_a_wrong_request_names_what_is_wrong(wrong: bytes, param: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        CHAT.parse(wrong)
    assert caught.value.param == param


@settings(max_examples=tries(50))
@given(st.binary() | values.map(orjson.dumps) | st.builds(body, messages=values, model=values, n=values))
def test_whatever_is_sent_is_read_or_refused(sent: bytes) -> None:
    try:
        CHAT.parse(sent)
    except InvalidRequest as error:
        orjson.dumps(error.message)


@settings(max_examples=tries(50))
@given(texts, st.lists(st.builds(Reply, st.none() | texts, st.just("stop"), st.integers(0, 99)), max_size=3))
def test_a_completion_is_json_that_holds_what_was_put_in(model: str, replies: list[Reply]) -> None:
    asked = CHAT.parse(body())._replace(model=model, input_tokens=11)
    tokens = sum(reply.tokens for reply in replies)
    read = orjson.loads(CHAT.completion(asked, replies, Tokens(11, 2, tokens), key=5))
    assert read["id"] == "chatcmpl-0000000000000005"
    assert read["model"] == model
    assert [choice["message"]["content"] for choice in read["choices"]] == [reply.text for reply in replies]
    assert [choice["index"] for choice in read["choices"]] == list(range(len(replies)))
    assert read["usage"]["total_tokens"] == 11 + tokens
    assert {"object", "created", "system_fingerprint", "usage", "choices"} <= set(read)
