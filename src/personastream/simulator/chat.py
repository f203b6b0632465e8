"""The OpenAI chat format: request bodies in, completion, error and model bodies out. Pure."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from orjson import JSONDecodeError, dumps, loads

from personastream.simulator.replies import Reply, token_count

CREATED = 1_767_225_600
"""`created` of every reply, 2026-01-01T00:00:00Z: the same request gets the same bytes."""

_COUNTS_MAX = {"max_completion_tokens": 2**31, "max_tokens": 2**31, "n": 128}
_TOKENS_PER_MESSAGE = 4

# Filling in bytes costs a fifth of encoding nested dicts, and this is done for every request.
_COMPLETION = (
    b'{"id":"chatcmpl-%016x","object":"chat.completion","created":%d,"model":%b,"choices":[%b],'
    b'"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,'
    b'"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},'
    b'"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}},'
    b'"service_tier":"default","system_fingerprint":"%b"}'
)
_CHOICE = (
    b'{"index":%d,"message":{"role":"assistant","content":%b,"refusal":null,"annotations":[]},'
    b'"logprobs":null,"finish_reason":"%b"}'
)


class InvalidRequest(Exception):
    """The client's own mistake. `param` names the key that is wrong, if one is."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


class ChatRequest(NamedTuple):
    """What is asked: model, the joined system texts, the last user text, the prompt's tokens, limits."""

    model: str
    system: str
    user: str
    input_tokens: int
    tokens_max: int | None
    choices: int


def parse_request(body: bytes) -> ChatRequest:
    """Read a request body. Raises `InvalidRequest`."""
    try:
        asked = loads(body)
    except JSONDecodeError as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}") from None
    if not isinstance(asked, dict):
        raise InvalidRequest("The body must be a JSON object.")
    model = asked.get("model")
    if not isinstance(model, str) or not model:
        raise InvalidRequest("'model' must be a non-empty string.", "model")
    if asked.get("stream"):
        raise InvalidRequest("Streaming is not simulated: leave 'stream' out.", "stream")
    system, user, input_tokens = _read_messages(asked.get("messages"))
    counts = {name: _count(name, value) for name in _COUNTS_MAX if (value := asked.get(name)) is not None}
    return ChatRequest(
        model=model,
        system=system,
        user=user,
        input_tokens=input_tokens,
        tokens_max=counts.get("max_completion_tokens") or counts.get("max_tokens"),
        choices=counts.get("n", 1),
    )


def completion_body(
    asked: ChatRequest, replies: Sequence[Reply], output_tokens: int, *, key: int, fingerprint: bytes
) -> bytes:
    """A `chat.completion` with one choice per reply; `key` makes its id."""
    choices = [
        _CHOICE % (index, dumps(reply.text), reply.finish_reason.encode()) for index, reply in enumerate(replies)
    ]
    return _COMPLETION % (
        key,
        CREATED,
        dumps(asked.model),
        b",".join(choices),
        asked.input_tokens,
        output_tokens,
        asked.input_tokens + output_tokens,
        fingerprint,
    )


def error_body(message: str, kind: str, *, param: str | None = None, code: str | None = None) -> bytes:
    """An error as OpenAI shapes it; `kind` is its `type`."""
    return dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})


def models_body(model: str) -> bytes:
    """The answer to `GET /v1/models`."""
    entry = {"id": model, "object": "model", "created": CREATED, "owned_by": "personastream"}
    return dumps({"object": "list", "data": [entry]})


def _read_messages(messages: Any) -> tuple[str, str, int]:
    if not isinstance(messages, list) or not messages:
        raise InvalidRequest("'messages' must be a non-empty list.", "messages")
    system, user, tokens = [], "", 0
    for place, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise InvalidRequest("A message is an object with a 'role'.", f"messages[{place}]")
        text = _text(message.get("content"), place)
        tokens += token_count(text) + _TOKENS_PER_MESSAGE
        if message["role"] == "user":
            user = text
        elif message["role"] in ("system", "developer"):
            system.append(text)
    return "\n".join(system), user, tokens


def _text(content: Any, place: int) -> str:
    if isinstance(content, str):
        return content
    if content is None:
        return ""
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        texts = [part.get("text", "") for part in content]
        if all(isinstance(text, str) for text in texts):
            return "".join(texts)
    raise InvalidRequest("Content is a text, a list of parts, or null.", f"messages[{place}].content")


def _count(name: str, value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _COUNTS_MAX[name]:
        return value
    raise InvalidRequest(f"'{name}' must be an integer from 1 to {_COUNTS_MAX[name]}.", name)
