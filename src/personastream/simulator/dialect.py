"""What a chat request and its answer are, whatever the API; each API has a `Dialect` of its own. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from personastream.simulator.replies import Reply

COUNTS_MAX = {"max_completion_tokens": 2**31, "max_tokens": 2**31, "n": 128}
TOKENS_PER_MESSAGE = 4


class InvalidRequest(Exception):
    """The client's own mistake. `param` names the key that is wrong, if one is."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


class ChatRequest(NamedTuple):
    """What is asked: model, the joined system texts, the last user text, the prompt's tokens, limits.

    A `schema` is one for JSON that the reply must keep.
    """

    model: str
    system: str
    user: str
    input_tokens: int
    tokens_max: int | None
    choices: int
    schema: Mapping[str, Any] | None = None


class Tokens(NamedTuple):
    """What a completion used. `cached` is the part of `input` that was known from earlier prompts."""

    input: int = 0
    cached: int = 0
    output: int = 0


NO_TOKENS = Tokens()


class Dialect(Protocol):
    """One API's formats."""

    @property
    def id_header(self) -> bytes:
        """The header that carries the request's id."""

    def parse(self, body: bytes) -> ChatRequest:
        """Read a request. Raises `InvalidRequest`."""

    def completion(self, asked: ChatRequest, replies: Sequence[Reply], tokens: Tokens, key: int) -> bytes:
        """The body of a good answer; `key` makes its id."""

    def error(
        self, status: int, message: str, kind: str, *, param: str | None = None, code: str | int | None = None
    ) -> bytes:
        """The body of an error; `kind` is its type as OpenAI names it."""


def text_of(content: object, place: str) -> str:
    """The text of a message's content: a text, a list of parts, or null. Raises `InvalidRequest` for `place`."""
    if isinstance(content, str):
        return content
    if content is None:
        return ""
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        texts = [part.get("text", "") for part in content]
        if all(isinstance(text, str) for text in texts):
            return "".join(texts)
    raise InvalidRequest("Content is a text, a list of parts, or null.", place)


def count_of(name: str, value: object) -> int:
    """A count within its bounds. Raises `InvalidRequest`."""
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= COUNTS_MAX[name]:
        return value
    raise InvalidRequest(f"'{name}' must be an integer from 1 to {COUNTS_MAX[name]}.", name)
