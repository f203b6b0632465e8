"""The OpenAI chat format: request bodies in, completion and error bodies out. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from orjson import JSONDecodeError, dumps, loads

from personastream.simulator.dialect import (
    COUNTS_MAX,
    TOKENS_PER_MESSAGE,
    ChatRequest,
    InvalidRequest,
    Tokens,
    count_of,
    text_of,
)
from personastream.simulator.replies import Reply, token_count

CREATED = 1_767_225_600
"""`created` of every reply, 2026-01-01T00:00:00Z: the same request gets the same bytes."""

# Filling in bytes costs a fifth of encoding nested dicts, and this is done for every request.
_COMPLETION = (
    b'{"id":"chatcmpl-%016x","object":"chat.completion","created":%d,"model":%b,"choices":[%b],'
    b'"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,'
    b'"prompt_tokens_details":{"cached_tokens":%d,"audio_tokens":0},'
    b'"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}},'
    b'"service_tier":"default","system_fingerprint":"%b"}'
)
_CHOICE = (
    b'{"index":%d,"message":{"role":"assistant","content":%b,"refusal":null,"annotations":[]},'
    b'"logprobs":null,"finish_reason":"%b"}'
)


class Chat:
    """The dialect of `POST /v1/chat/completions`. All replies carry the same `fingerprint` of the system."""

    id_header = b"x-request-id"

    def __init__(self, fingerprint: bytes = b"fp_0") -> None:
        self._fingerprint = fingerprint

    def parse(self, body: bytes) -> ChatRequest:
        asked = json_object(body)
        model = model_of(asked)
        system, user, input_tokens = _read_messages(asked.get("messages"))
        counts = {name: count_of(name, value) for name in COUNTS_MAX if (value := asked.get(name)) is not None}
        return ChatRequest(
            model=model,
            system=system,
            user=user,
            input_tokens=input_tokens,
            tokens_max=counts.get("max_completion_tokens") or counts.get("max_tokens"),
            choices=counts.get("n", 1),
            schema=_schema(asked["response_format"]) if asked.get("response_format") is not None else None,
        )

    def completion(self, asked: ChatRequest, replies: Sequence[Reply], tokens: Tokens, key: int) -> bytes:
        choices = [
            _CHOICE % (index, dumps(reply.text), reply.finish_reason.encode()) for index, reply in enumerate(replies)
        ]
        return _COMPLETION % (
            key,
            CREATED,
            dumps(asked.model),
            b",".join(choices),
            tokens.input,
            tokens.output,
            tokens.input + tokens.output,
            tokens.cached,
            self._fingerprint,
        )

    def error(
        self, status: int, message: str, kind: str, *, param: str | None = None, code: str | int | None = None
    ) -> bytes:
        return error_body(message, kind, param=param, code=code)


def error_body(message: str, kind: str, *, param: str | None = None, code: str | int | None = None) -> bytes:
    """An error as OpenAI shapes it; `kind` is its `type`."""
    return dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})


def model_entry(model: str) -> dict[str, Any]:
    """What is told of a model."""
    return {"id": model, "object": "model", "created": CREATED, "owned_by": "personastream"}


def json_object(body: bytes) -> dict[str, Any]:
    """A body that must be a JSON object. Raises `InvalidRequest`."""
    try:
        asked = loads(body)
    except JSONDecodeError as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}") from None
    if not isinstance(asked, dict):
        raise InvalidRequest("The body must be a JSON object.")
    return asked


def model_of(asked: dict[str, Any]) -> str:
    """The model that is asked, by a request that does not stream. Raises `InvalidRequest`."""
    model = asked.get("model")
    if not isinstance(model, str) or not model:
        raise InvalidRequest("'model' must be a non-empty string.", "model")
    if asked.get("stream"):
        raise InvalidRequest("Streaming is not simulated: leave 'stream' out.", "stream")
    return model


def _schema(wanted: Any) -> Mapping[str, Any] | None:
    """The schema that `response_format` demands; for just any object, one of an object with a text."""
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind == "text":
        return None
    if kind == "json_object":
        return {"properties": {"text": {"type": "string"}}}
    described = wanted.get("json_schema") if kind == "json_schema" else None
    schema = described.get("schema") if isinstance(described, dict) else None
    if not isinstance(schema, dict):
        raise InvalidRequest("'response_format' is text, json_object, or json_schema with a schema.", "response_format")
    return schema


def _read_messages(messages: Any) -> tuple[str, str, int]:
    if not isinstance(messages, list) or not messages:
        raise InvalidRequest("'messages' must be a non-empty list.", "messages")
    system, user, tokens = [], "", 0
    for place, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise InvalidRequest("A message is an object with a 'role'.", f"messages[{place}]")
        text = text_of(message.get("content"), f"messages[{place}].content")
        tokens += token_count(text) + TOKENS_PER_MESSAGE
        if message["role"] == "user":
            user = text
        elif message["role"] in ("system", "developer"):
            system.append(text)
    return "\n".join(system), user, tokens
