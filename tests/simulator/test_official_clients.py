"""The clients that OpenAI and Anthropic publish, asking the simulator: it speaks their protocols."""

import io
import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from personastream.simulator.behaviour import Behaviour
from personastream.simulator.server import serve_in_thread
from personastream.simulator.simulator import Simulator

openai = pytest.importorskip("openai")
anthropic = pytest.importorskip("anthropic")
pytestmark = pytest.mark.slow

USER = [{"role": "user", "content": 'Start with "Title:".\n<persona>\nA nurse\n</persona>\n'}]


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with serve_in_thread(Behaviour(key="k", batch_latency_s=0.2, model="tiny", batch_failures=0.3)) as simulator:
        yield simulator


_OPEN: list[Any] = []


@pytest.fixture(autouse=True)
def _all_closed() -> Iterator[None]:
    """Clients keep their connections until they are closed."""
    yield
    while _OPEN:
        _OPEN.pop().close()


def openai_client(simulator: Simulator) -> Any:
    _OPEN.append(openai.OpenAI(base_url=simulator.base_url, api_key="k", max_retries=0))
    return _OPEN[-1]


def anthropic_client(simulator: Simulator) -> Any:
    _OPEN.append(anthropic.Anthropic(base_url=simulator.base_url.removesuffix("/v1"), api_key="k", max_retries=0))
    return _OPEN[-1]


def test_openai_chat_and_models(simulator: Simulator) -> None:
    client = openai_client(simulator)
    assert [model.id for model in client.models.list()] == [client.models.retrieve("tiny").id] == ["tiny"]
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("huge")
    reply = client.chat.completions.create(model="tiny", messages=USER)
    assert reply.choices[0].finish_reason == "stop"
    assert "nurse" in reply.choices[0].message.content
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert reply.usage.prompt_tokens_details.cached_tokens == 0
    schema = {"type": "object", "properties": {"problem": {"type": "string"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "problem", "schema": schema, "strict": True}}
    reply = client.chat.completions.create(model="tiny", messages=USER, response_format=wanted)
    assert orjson.loads(reply.choices[0].message.content).keys() == {"problem"}


def test_openai_embeddings_in_both_encodings(simulator: Simulator) -> None:
    client, texts = openai_client(simulator), ["a quiet nurse in a village", "a quiet nurse in the village", "tax law"]
    plain = client.embeddings.create(model="tiny", input=texts, encoding_format="float")
    packed = client.embeddings.create(model="tiny", input=texts)  # the client asks for base64 and unpacks it
    vectors = [entry.embedding for entry in plain.data]
    for vector, entry in zip(vectors, packed.data, strict=True):
        assert entry.embedding == pytest.approx(vector)
        assert sum(value * value for value in vector) == pytest.approx(1)
    near, far = (sum(a * b for a, b in zip(vectors[0], other, strict=True)) for other in vectors[1:])
    assert near > 0.5 > far


def test_openai_files_and_a_whole_batch(simulator: Simulator) -> None:
    client = openai_client(simulator)
    lines = [
        {
            "custom_id": f"row-{number}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": "tiny", "messages": USER, "seed": number},
        }
        for number in range(40)
    ]
    content = b"".join(orjson.dumps(line) + b"\n" for line in lines)
    file = client.files.create(file=("rows.jsonl", io.BytesIO(content)), purpose="batch")
    assert client.files.content(file.id).read() == content
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"run": "r1"}
    )
    assert batch.status == "validating"
    assert [each.id for each in client.batches.list(limit=1).data] == [batch.id]
    while (batch := client.batches.retrieve(batch.id)).status != "completed":
        time.sleep(0.02)  # how the client's own documentation waits
    assert (batch.metadata, batch.request_counts.total) == ({"run": "r1"}, 40)
    assert batch.request_counts.completed + batch.request_counts.failed == 40
    good, bad = (
        [orjson.loads(line) for line in client.files.content(each).read().splitlines()]
        for each in (batch.output_file_id, batch.error_file_id)
    )
    assert {line["custom_id"] for line in good + bad} == {line["custom_id"] for line in lines}
    assert good[0]["response"]["body"]["choices"][0]["message"]["content"].startswith("Title: ")
    assert all("error" in line["response"]["body"] for line in bad)
    assert client.files.delete(file.id).deleted


def test_openai_cancels_a_batch(simulator: Simulator) -> None:
    client = openai_client(simulator)
    line = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m", "messages": USER}}
    file = client.files.create(file=("rows.jsonl", orjson.dumps(line)), purpose="batch")
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    assert client.batches.cancel(batch.id).status in {"cancelling", "cancelled"}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("too-long", lambda: openai.BadRequestError),
        ("401", lambda: openai.AuthenticationError),
        ("403", lambda: openai.PermissionDeniedError),
        ("404", lambda: openai.NotFoundError),
        ("409", lambda: openai.ConflictError),
        ("422", lambda: openai.UnprocessableEntityError),
        ("429", lambda: openai.RateLimitError),
        ("500", lambda: openai.InternalServerError),
        ("drop", lambda: openai.APIConnectionError),
        ("cut", lambda: openai.APIConnectionError),
    ],
)
def test_openai_errors_are_of_their_types(fault: str, error: Callable[[], type[Exception]]) -> None:
    with serve_in_thread(Behaviour(key="k", faults={fault: 1.0})) as simulator, pytest.raises(error()):
        openai_client(simulator).chat.completions.create(model="m", messages=USER)


def test_anthropic_messages(simulator: Simulator) -> None:
    reply = anthropic_client(simulator).messages.create(model="tiny", max_tokens=500, system="Be brief.", messages=USER)
    assert reply.stop_reason == "end_turn"
    assert "nurse" in reply.content[0].text
    assert reply.usage.output_tokens > 0 < reply.usage.input_tokens
    assert reply._request_id.startswith("req_")
    short = anthropic_client(simulator).messages.create(model="tiny", max_tokens=5, messages=USER)
    assert (short.stop_reason, short.usage.output_tokens) == ("max_tokens", 5)


@pytest.mark.parametrize(
    ("fault", "error", "kind"),
    [
        ("badrequest", "BadRequestError", "invalid_request_error"),
        ("401", "AuthenticationError", "authentication_error"),
        ("403", "PermissionDeniedError", "permission_error"),
        ("404", "NotFoundError", "not_found_error"),
        ("413", "RequestTooLargeError", "request_too_large"),
        ("429-anthropic", "RateLimitError", "rate_limit_error"),
        ("500", "InternalServerError", "api_error"),
        ("504", "DeadlineExceededError", "timeout_error"),
        ("529", "OverloadedError", "overloaded_error"),
    ],
)
def test_anthropic_errors_are_of_their_types(fault: str, error: str, kind: str) -> None:
    wanted = getattr(anthropic, error, None) or getattr(anthropic._exceptions, error)
    with serve_in_thread(Behaviour(key="k", faults={fault: 1.0})) as simulator, pytest.raises(wanted) as caught:
        anthropic_client(simulator).messages.create(model="m", max_tokens=5, messages=USER)
    assert caught.value.body["error"]["type"] == kind


def test_anthropic_message_batches(simulator: Simulator) -> None:
    client = anthropic_client(simulator)
    params = {"model": "tiny", "max_tokens": 500, "messages": USER}
    rows = [{"custom_id": f"row-{number}", "params": {**params, "temperature": number / 40}} for number in range(40)]
    batch = client.messages.batches.create(requests=rows)
    assert batch.processing_status == "in_progress"
    assert next(iter(client.messages.batches.list(limit=1))).id == batch.id
    while (batch := client.messages.batches.retrieve(batch.id)).processing_status != "ended":
        time.sleep(0.02)  # how the client's own documentation waits
    results = {each.custom_id: each.result for each in client.messages.batches.results(batch.id)}
    assert results.keys() == {row["custom_id"] for row in rows}
    kinds = [result.type for result in results.values()]
    assert (batch.request_counts.succeeded, batch.request_counts.errored) == (
        kinds.count("succeeded"),
        kinds.count("errored"),
    )
    assert "nurse" in next(result for result in results.values() if result.type == "succeeded").message.content[0].text
    with pytest.raises(anthropic.BadRequestError):
        client.messages.batches.cancel(batch.id)
    assert client.messages.batches.cancel(client.messages.batches.create(requests=rows[:1]).id).id
