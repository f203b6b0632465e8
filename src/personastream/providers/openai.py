"""Provider `openai`: chat completions of any compatible server (vLLM, SGLang, llama.cpp, Ollama, hosted services)."""

from dataclasses import dataclass

import orjson

from personastream.errors import Refused
from personastream.providers.chat_replies import completion
from personastream.providers.http import HttpService
from personastream.records import Completion, Request

CUT_TOKENS_MIN = 1000
CHARACTERS_PER_TOKEN_MAX = 8
"""Twice the usual ratio: a server that counts fewer tokens has cut the prompt to its window, and says nothing of it."""


@dataclass
class Openai(HttpService):
    """`POST <base_url>/chat/completions`."""

    PATH = "/chat/completions"

    async def complete(self, request: Request) -> Completion:
        """One attempt. Raises `AttemptError`."""
        answer = await self.post(self.body(request), completion)
        check_whole(request, answer)
        return answer

    def body(self, request: Request) -> bytes:
        """What is sent: the same request has the same body, always."""
        messages = request.messages
        if request.system:
            messages.insert(0, {"role": "system", "content": request.system})
        return orjson.dumps({"model": self.model, "messages": messages, **request.parameters})

    def parse(self, body: bytes) -> Completion:
        """A kept raw reply, read again. Raises `AttemptError` if it is none."""
        return completion(body)


def check_whole(request: Request, answer: Completion) -> None:
    """Raises `Refused` if the server has read only a part of the prompt (Ollama does that, with status 200)."""
    if answer.input_tokens < CUT_TOKENS_MIN:
        return
    characters = request.characters
    if characters > CHARACTERS_PER_TOKEN_MAX * answer.input_tokens:
        raise Refused(
            f"the server has cut the prompt: it counts {answer.input_tokens} tokens in {characters} characters",
            reason="too_long",
            body=answer.body,
        )
