"""The faults that spoil a reply made before: its document, its bytes, or how they are labelled."""

import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import orjson

from personastream.simulator.endings import Parcel
from personastream.simulator.fault_errors import HTML, hostile_headers

OVERSIZED_BYTES = 12 << 20
BOMB_BYTES = 64 << 20
HUGE_HEADERS, HUGE_HEADER_BYTES = 32, 8 << 10
TRUNCATED_TOKENS = 10
REFUSAL = "I cannot help with that."

Document = dict[str, Any]


def spoil(parcel: Parcel, fault: str) -> Parcel:
    """The reply as the client gets it under this fault; unchanged by a fault of another kind."""
    if edit := EDITS.get(fault):
        document = orjson.loads(parcel.body)
        edit(document)
        return parcel._replace(body=orjson.dumps(document))
    change = _CHANGES.get(fault)
    return change(parcel) if change else parcel


def _null(document: Document) -> None:
    _set_text(document, None, "stop")


def _no_content(document: Document) -> None:
    for choice in document.get("choices", ()):
        del choice["message"]["content"]
    if "stop_reason" in document:
        del document["content"]


def _empty(document: Document) -> None:
    _set_text(document, "\n", "stop")


def _refuse(document: Document) -> None:
    _set_text(document, None, "content_filter")


def _refusal(document: Document) -> None:
    _set_text(document, None, "stop")
    for choice in document.get("choices", ()):
        choice["message"]["refusal"] = REFUSAL
    if "stop_reason" in document:
        document["stop_reason"] = "refusal"


def _whitespace(document: Document) -> None:
    _set_text(document, "{" + "\n \t" * 400, "length")


def _off_contract(document: Document) -> None:
    _set_text(document, "Certainly, but here is a poem about rain instead.", "stop")


def _near_contract(document: Document) -> None:
    for place in (*(choice["message"] for choice in document.get("choices", ())), *document.get("content", ())):
        key = "text" if "text" in place else "content"
        place[key] = _nearly(place[key] or "")


def _nearly(text: str) -> str:
    """JSON without its last key, any other text with talk before it."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return f"Sure! Here is what you asked for:\n\n{text}"
    if isinstance(value, dict) and value:
        value.popitem()
    return orjson.dumps(value).decode()


def _reasoning(document: Document) -> None:
    _set_text(document, "", "length")
    for choice in document.get("choices", ()):
        choice["message"]["reasoning_content"] = "Let me think about this person for a while."
    if "stop_reason" in document:
        document["content"] = [{"type": "thinking", "thinking": "Let me think for a while.", "signature": ""}]


def _length(document: Document) -> None:
    for choice in document.get("choices", ()):
        text = choice["message"]["content"] or ""
        choice["message"]["content"], choice["finish_reason"] = text[: len(text) // 2], "length"
    if "stop_reason" in document:
        document["stop_reason"] = "max_tokens"
        for block in document["content"]:
            block["text"] = block["text"][: len(block["text"]) // 2]


def _finish_error(document: Document) -> None:
    _set_text(document, "", "error")
    if "stop_reason" in document:
        document["stop_reason"] = "error"


def _no_choices(document: Document) -> None:
    document["content" if "stop_reason" in document else "choices"] = None
    document.pop("usage", None)


def _empty_choices(document: Document) -> None:
    document["content" if "stop_reason" in document else "choices"] = []


def _two_choices(document: Document) -> None:
    if choices := document.get("choices"):
        document["choices"] = [*choices, {**choices[-1], "index": len(choices)}]
    elif document.get("content"):
        document["content"] = 2 * document["content"]


def _wrong_model(document: Document) -> None:
    document["model"] = "another-model"


def _truncated(document: Document) -> None:
    for name in ("prompt_tokens", "input_tokens"):
        if name in document.get("usage", ()):
            document["usage"][name] = min(document["usage"][name], TRUNCATED_TOKENS)


def _no_usage(document: Document) -> None:
    document.pop("usage", None)


def _negative_usage(document: Document) -> None:
    _set_usage(document, -7)


def _huge_usage(document: Document) -> None:
    _set_usage(document, 2**63)


def _set_usage(document: Document, tokens: int) -> None:
    usage = document.get("usage", {})
    usage.update((name, tokens) for name, value in usage.items() if isinstance(value, int))


_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}


def _set_text(document: Document, text: str | None, finish_reason: str) -> None:
    """Put one text into all choices of a chat completion, or into a message of Anthropic's."""
    for choice in document.get("choices", ()):
        choice["message"]["content"], choice["finish_reason"] = text, finish_reason
    if "stop_reason" in document:
        document["content"] = [] if text is None else [{"type": "text", "text": text}]
        document["stop_reason"] = _STOP_REASONS.get(finish_reason, finish_reason)


EDITS: Mapping[str, Callable[[Document], None]] = {
    "null": _null,
    "no-content": _no_content,
    "empty": _empty,
    "refuse": _refuse,
    "refusal": _refusal,
    "whitespace": _whitespace,
    "off-contract": _off_contract,
    "near-contract": _near_contract,
    "reasoning": _reasoning,
    "length": _length,
    "finish-error": _finish_error,
    "no-choices": _no_choices,
    "empty-choices": _empty_choices,
    "two-choices": _two_choices,
    "wrong-model": _wrong_model,
    "truncated": _truncated,
    "no-usage": _no_usage,
    "negative-usage": _negative_usage,
    "huge-usage": _huge_usage,
}
"""Changes of a reply's document, in place; they leave alone what the document has not."""


def _malformed(parcel: Parcel) -> Parcel:
    return parcel._replace(body=parcel.body[: len(parcel.body) // 2])


def _not_utf8(parcel: Parcel) -> Parcel:
    middle = parcel.body.find(b" ", len(parcel.body) // 2)
    return parcel._replace(body=parcel.body[:middle] + b"\xff\xfe" + parcel.body[middle:])


def _not_json_type(parcel: Parcel) -> Parcel:
    return parcel._replace(content_type=HTML)


def _oversized(parcel: Parcel) -> Parcel:
    return parcel._replace(body=parcel.body[:-1] + b" " * OVERSIZED_BYTES + parcel.body[-1:])


def _gzip_bomb(parcel: Parcel) -> Parcel:
    return parcel._replace(body=_bomb(), headers=parcel.headers + b"content-encoding: gzip\r\n")


def _huge_headers(parcel: Parcel) -> Parcel:
    lines = (b"x-filler-%d: %b\r\n" % (number, b"a" * HUGE_HEADER_BYTES) for number in range(HUGE_HEADERS))
    return parcel._replace(headers=parcel.headers + b"".join(lines))


def _hostile_headers(parcel: Parcel) -> Parcel:
    return parcel._replace(headers=parcel.headers + hostile_headers(0.0, 0.0))


_CHANGES: Mapping[str, Callable[[Parcel], Parcel]] = {
    "malformed": _malformed,
    "not-utf8": _not_utf8,
    "not-json-type": _not_json_type,
    "oversized": _oversized,
    "gzip-bomb": _gzip_bomb,
    "huge-headers": _huge_headers,
    "hostile-headers": _hostile_headers,
}


@lru_cache(maxsize=1)
def _bomb() -> bytes:
    """Blanks around an empty object, compressed a thousandfold."""
    packer = zlib.compressobj(9, wbits=31)
    return packer.compress(b" " * BOMB_BYTES) + packer.compress(b"{}") + packer.flush()
