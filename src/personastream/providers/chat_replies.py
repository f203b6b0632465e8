"""The body of a 200 from a chat-completions server, as a `Completion`."""

from collections.abc import Mapping
from typing import Any

import orjson

from personastream.errors import AttemptError, Unavailable
from personastream.providers.faults import count, fault_inside, fault_streamed, text
from personastream.records import Completion

NO_HEADERS: Mapping[str, str] = {}
FINISH = {"": "stop", "eos": "stop", "model_length": "length", "max_tokens": "length"}
"""Other words for the same end."""


def completion(body: bytes, headers: Mapping[str, str] | None = None) -> Completion:
    """The completion in the body of a 200; a server that found no words has answered with empty text.

    Raises `Unavailable` if there is none, for such answers pass, or what an error that came instead means.
    """
    try:
        reply = orjson.loads(body)
        if reply.get("error") and not reply.get("choices"):
            raise fault_inside(headers or NO_HEADERS, body)
        choice = _first(reply["choices"])
        finish_reason = text(choice.get("finish_reason"))
        if finish_reason == "error":
            raise Unavailable("a reply broke off: its finish_reason is error", billed=True)
        # A content filter may leave the message out.
        message = choice["message"] if finish_reason != "content_filter" else choice.get("message") or {}
        words, refusal = message.get("content"), message.get("refusal")
        if not isinstance(words, str):
            words = _joined(words)
        usage = reply.get("usage")
        return Completion(
            text=words,
            finish_reason="refusal" if refusal and not words else FINISH.get(finish_reason, finish_reason),
            model=text(reply.get("model")),
            input_tokens=count(usage, "prompt_tokens"),
            output_tokens=count(usage, "completion_tokens"),
            body=body,
            cached_tokens=_cached(usage),
            headers=headers,
        )
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise no_result(body, headers, "chat completion") from error


def no_result(body: bytes, headers: Mapping[str, str] | None, what: str) -> AttemptError:
    """Why a 200 is no `what`: an error that came in a stream of events, or another kind of answer altogether."""
    start = body[:80].decode("utf-8", "replace")
    none = Unavailable(f"a reply with status 200 is no {what}: {start!r}", billed=True)
    return fault_streamed(headers or NO_HEADERS, body) or none


def _first(choices: Any) -> Any:
    """The first choice; where there is none, the server had nothing to say."""
    if choices == []:
        return {"message": {}}
    return choices[0]


def _joined(content: Any) -> str:
    """The text of a message whose content is null, or is made of parts: of these, what is text and no thinking."""
    if content is None:
        return ""
    if not isinstance(content, list):
        raise TypeError("content is not text")
    return "".join(part["text"] for part in content if part["type"] == "text")


def _cached(usage: Any) -> int:
    return count(usage.get("prompt_tokens_details"), "cached_tokens") if isinstance(usage, dict) else 0
