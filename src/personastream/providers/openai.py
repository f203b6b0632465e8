"""Provider `openai`: chat completions of any compatible server (vLLM, SGLang, llama.cpp, Ollama, hosted services)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from personastream.errors import ConfigError, Refused
from personastream.providers.chat_replies import completion
from personastream.providers.http import HttpService
from personastream.records import Completion, Request
from personastream.settings import setting

CUT_TOKENS_MIN = 1000
CHARACTERS_PER_TOKEN_MAX = 8
"""Twice the usual ratio: a server that counts fewer tokens has cut the prompt to its window, and says nothing of it."""
SCHEMA_BYTES_MAX = 1 << 20
NO_NAME_CHARACTERS = re.compile("[^a-zA-Z0-9_-]+")
"""What a schema's name may not hold, by OpenAI's rules."""


@dataclass
class Openai(HttpService):
    """`POST <base_url>/chat/completions`."""

    PATH = "/chat/completions"

    response_format: str = setting(
        "Have the model write JSON; the prompt must ask for it too.", default="", choices=("", "json_object")
    )
    response_schema: str = setting("File with the JSON schema that replies are to keep.", default="", path=True)
    _fixed: Mapping[str, object] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._fixed = {"model": self.model, **self._format()}

    async def complete(self, request: Request) -> Completion:
        """One attempt. Raises `AttemptError`."""
        messages = [{"role": "user", "content": request.user}]
        if request.system:
            messages.insert(0, {"role": "system", "content": request.system})
        body = orjson.dumps({**self._fixed, "messages": messages, **request.parameters})
        answer = await self.post(body, completion)
        if answer.input_tokens >= CUT_TOKENS_MIN:
            _check_whole(request, answer)
        return answer

    def parse(self, body: bytes) -> Completion:
        """A kept raw reply, read again. Raises `AttemptError` if it is none."""
        return completion(body)

    def _format(self) -> dict[str, object]:
        if self.response_schema and self.response_format:
            raise ConfigError("[provider] response_format and response_schema exclude each other")
        if self.response_schema:
            schema = {"name": _name(self.response_schema), "strict": True, "schema": _schema(self.response_schema)}
            return {"response_format": {"type": "json_schema", "json_schema": schema}}
        return {"response_format": {"type": self.response_format}} if self.response_format else {}


def _check_whole(request: Request, answer: Completion) -> None:
    """Raises `Refused` if the server has read only a part of the prompt (Ollama does that, with status 200)."""
    characters = len(request.system) + len(request.user)
    if characters > CHARACTERS_PER_TOKEN_MAX * answer.input_tokens:
        raise Refused(
            f"the server has cut the prompt: it counts {answer.input_tokens} tokens in {characters} characters",
            reason="too_long",
            body=answer.body,
        )


def _name(file: str) -> str:
    return NO_NAME_CHARACTERS.sub("_", Path(file).stem)[:64]


def _schema(file: str) -> object:
    try:
        with open(file, "rb") as opened:
            schema: object = orjson.loads(opened.read(SCHEMA_BYTES_MAX))
    except (OSError, ValueError) as error:
        raise ConfigError(f"[provider] response_schema {file} cannot be read: {error}") from error
    if not isinstance(schema, dict):
        raise ConfigError(
            f"[provider] response_schema {file} is no JSON schema", hint='It looks like {"type": "object", …}.'
        )
    return schema
