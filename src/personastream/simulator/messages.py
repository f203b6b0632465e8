"""The format of Anthropic's Messages API: request bodies in, message and error bodies out. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from orjson import dumps

from personastream.simulator.chat import json_object, model_of
from personastream.simulator.dialect import (
    TOKENS_PER_MESSAGE,
    ChatRequest,
    InvalidRequest,
    Tokens,
    count_of,
    text_of,
)
from personastream.simulator.replies import Reply, token_count

VERSION_HEADER = b"anthropic-version"
_ROLES = ("user", "assistant")
_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}
_TYPES: Mapping[int, str] = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_LITERAL_TYPES = {"overloaded_error"}


class Messages:
    """The dialect of `POST /v1/messages`."""

    id_header = b"request-id"

    def parse(self, body: bytes) -> ChatRequest:
        asked = json_object(body)
        model = model_of(asked)
        if asked.get("max_tokens") is None:
            raise InvalidRequest("max_tokens: Field required", "max_tokens")
        system = text_of(asked.get("system"), "system")
        user, tokens = _read_turns(asked.get("messages"))
        return ChatRequest(
            model=model,
            system=system,
            user=user,
            input_tokens=tokens + (token_count(system) + TOKENS_PER_MESSAGE if system else 0),
            tokens_max=count_of("max_tokens", asked["max_tokens"]),
            choices=1,
        )

    def completion(self, asked: ChatRequest, replies: Sequence[Reply], tokens: Tokens, key: int) -> bytes:
        (reply,) = replies
        message = {
            "id": f"msg_{key:016x}",
            "type": "message",
            "role": "assistant",
            "model": asked.model,
            "content": [] if reply.text is None else [{"type": "text", "text": reply.text}],
            "stop_reason": _STOP_REASONS[reply.finish_reason],
            "stop_sequence": None,
            "usage": {
                "input_tokens": tokens.input - tokens.cached,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": tokens.cached,
                "output_tokens": tokens.output,
                "service_tier": "standard",
            },
        }
        return dumps(message)

    def error(
        self, status: int, message: str, kind: str, *, param: str | None = None, code: str | int | None = None
    ) -> bytes:
        of_status = "api_error" if status >= 500 else "invalid_request_error"
        error: dict[str, Any] = {
            "type": kind if kind in _LITERAL_TYPES else _TYPES.get(status, of_status),
            "message": message if param is None else f"{param}: {message}",
        }
        if code is not None:
            error["details"] = {"error_code": code}
        return dumps({"type": "error", "error": error})


def _read_turns(messages: Any) -> tuple[str, int]:
    if not isinstance(messages, list) or not messages:
        raise InvalidRequest("A non-empty list is needed.", "messages")
    user, tokens = "", 0
    for place, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            raise InvalidRequest("A message is an object with the role user or assistant.", f"messages.{place}")
        text = text_of(message.get("content"), f"messages.{place}.content")
        tokens += token_count(text) + TOKENS_PER_MESSAGE
        if message["role"] == "user":
            user = text
    return user, tokens
