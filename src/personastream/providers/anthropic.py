"""Provider `anthropic`: the messages API of Anthropic, and of the services and gateways that speak it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from personastream.providers.chat_replies import NO_HEADERS, no_result
from personastream.providers.faults import count, fault_inside, text
from personastream.providers.http import HttpService
from personastream.records import Completion, Request
from personastream.settings import setting

VERSION = "2023-06-01"
FINISH = {
    "": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
}
INPUT_COUNTS = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
"""They do not overlap: `input_tokens` leaves out what was read from the cache or written to it."""


@dataclass
class Anthropic(HttpService):
    """`POST <base_url>/messages`."""

    PATH = "/messages"

    api_key_env: str = setting(
        "Name of the environment variable that holds the key.", default="ANTHROPIC_API_KEY", identity=False
    )
    max_tokens: int = setting(
        "Longest reply, in tokens, where the template names no max_tokens.", default=4096, minimum=1, maximum=1 << 20
    )

    async def complete(self, request: Request) -> Completion:
        """One attempt. Raises `AttemptError`."""
        return await self.post(self.body(request), message)

    def body(self, request: Request) -> bytes:
        """What is sent: the same request has the same body, always."""
        body: dict[str, object] = {
            "model": self.model,
            "max_tokens": self.max_tokens,
            "messages": request.messages,
            **_parameters(request.parameters),
        }
        if request.system:
            body["system"] = request.system
        return orjson.dumps(body)

    def parse(self, body: bytes) -> Completion:
        """A kept raw reply, read again. Raises `AttemptError` if it is none."""
        return message(body)

    def own_headers(self) -> dict[str, str]:
        """The version of the protocol, without which nothing is answered, and the key."""
        return {"anthropic-version": VERSION, **({"x-api-key": self._key} if self._key else {})}


def message(body: bytes, headers: Mapping[str, str] | None = None) -> Completion:
    """The message in the body of a 200.

    Raises `Unavailable` if there is none, for such answers pass, or what an error that came instead means.
    """
    try:
        reply = orjson.loads(body)
        if reply.get("error") and not reply.get("content"):
            raise fault_inside(headers or NO_HEADERS, body)
        words = "".join(block["text"] for block in reply["content"] if block["type"] == "text")
        stop_reason = text(reply.get("stop_reason"))
        usage = reply.get("usage")
        return Completion(
            text=words,
            finish_reason=FINISH.get(stop_reason, stop_reason),
            model=text(reply.get("model")),
            input_tokens=sum(count(usage, name) for name in INPUT_COUNTS),
            output_tokens=count(usage, "output_tokens"),
            body=body,
            cached_tokens=count(usage, "cache_read_input_tokens"),
            headers=headers,
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise no_result(body, headers, "message") from error


def _parameters(parameters: Mapping[str, object]) -> dict[str, Any]:
    """Sampling parameters under this API's names. There is no seed."""
    known: dict[str, Any] = {name: value for name, value in parameters.items() if name not in ("seed", "stop")}
    stop = parameters.get("stop")
    if stop:
        known["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    return known
