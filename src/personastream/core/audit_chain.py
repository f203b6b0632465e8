"""The audit log as bytes: one JSON line an event, each with the hash of the line before it and, last, its own.

    {"number":1,"time":"…","event":"resumed","who":{…},"details":{…},"before":"<hash of line 0>","hash":"…"}

A line's hash is the SHA-256 of all that stands in it before `,"hash":`. Lines are ASCII: nothing in them can pass for a
line feed, an escape of a terminal or another direction of writing. What is told is facts about a run: a text of more
than `TEXT_CHARACTERS_MAX` characters is told by its hash, for it may be somebody's words.
"""

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

TEXT_CHARACTERS_MAX = 200
ITEMS_MAX = 500
DEPTH_MAX = 4
LINE_BYTES_MAX = 1 << 20
_HASH = ',"hash":"'
_HASH_BYTES = len(_HASH) + 64 + len('"}')


class Head(NamedTuple):
    """The end of a chain: how many lines it has, and the hash of the last one, by which all before it are fixed."""

    lines: int
    hash: str


EMPTY = Head(0, "0" * 64)


class BrokenChain(ValueError):
    """A line that does not follow from those before it. `line` counts from 1, as editors do."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"line {line}: {what}")
        self.line = line


def line_of(
    head: Head, time: str, event: str, who: Mapping[str, object], details: Mapping[str, object]
) -> tuple[bytes, Head]:
    """(the line that follows `head`, without a line feed; the new head). Raises `ValueError` for what is too long."""
    told = {
        "number": head.lines,
        "time": time,
        "event": event,
        "who": plain(who),
        "details": plain(details),
        "before": head.hash,
    }
    body = json.dumps(told, separators=(",", ":"), allow_nan=False)[:-1]
    own = sha256(body.encode()).hexdigest()
    line = f'{body}{_HASH}{own}"}}'.encode()
    if len(line) > LINE_BYTES_MAX:
        raise ValueError(f"an event of {len(line)} bytes")
    return line, Head(head.lines + 1, own)


def read_line(line: bytes, head: Head | None) -> tuple[dict[str, Any], Head]:
    """(what a line tells, the head behind it); `head` is that before it, None if it is not known.

    Raises `BrokenChain`.
    """
    number = 1 if head is None else head.lines + 1
    try:
        body, own = line[:-_HASH_BYTES], json.loads(line)["hash"]
        event = json.loads(body + b"}")
        before, lines = event["before"], event["number"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BrokenChain(number, "is no event of an audit log") from error
    if sha256(body).hexdigest() != own:
        raise BrokenChain(number, "was changed after it was written: its hash is another")
    if head is not None and (before, lines) != (head.hash, head.lines):
        raise BrokenChain(number, "does not follow the line before it: one was changed, taken out or put in")
    return event, Head(lines + 1, own)


def read_all(lines: Iterable[bytes]) -> tuple[list[dict[str, Any]], list[str]]:
    """(all events of a whole log, the hash of each line). Raises `BrokenChain`."""
    events, hashes, head = list[dict[str, Any]](), list[str](), EMPTY
    for line in lines:
        event, head = read_line(line, head)
        events.append(event)
        hashes.append(head.hash)
    return events, hashes


def plain(value: object, depth: int = 0) -> Any:
    """A value as it may be told: short texts, numbers, and lists and tables of them."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if depth < DEPTH_MAX and isinstance(value, Mapping):
        return {_text(str(key)): plain(one, depth + 1) for key, one in list(value.items())[:ITEMS_MAX]}
    if depth < DEPTH_MAX and isinstance(value, list | tuple | set | frozenset):
        some = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [plain(one, depth + 1) for one in some[:ITEMS_MAX]]
    return _text(str(value))


def _text(text: str) -> str:
    whole = text.encode("utf-8", "backslashreplace")
    if len(text) <= TEXT_CHARACTERS_MAX:
        return whole.decode()
    return f"sha256:{sha256(whole).hexdigest()} ({len(text)} characters)"
