"""Vectors for texts, from any service with an OpenAI-compatible embeddings endpoint; `launch.embedder` asks it."""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from personastream.providers.chat_replies import NO_HEADERS, no_result
from personastream.providers.faults import count, fault_inside
from personastream.providers.http import HttpService
from personastream.records import Completion, Request

Vectors = npt.NDArray[np.float32]


@dataclass
class EmbeddingsClient(HttpService):
    """`POST <base_url>/embeddings`."""

    PATH = "/embeddings"

    async def complete(self, request: Request) -> Completion:
        """One attempt for a JSON list of texts in `user`; `body` is their vectors as float32. Raises `AttemptError`."""
        found, tokens = await self.embed(orjson.loads(request.user))
        return Completion("", "stop", self.model, tokens, 0, found.tobytes())

    async def embed(self, texts: Sequence[str]) -> tuple[Vectors, int]:
        """The vectors of `texts` in their order, (texts, dimensions), and the tokens used. Raises `AttemptError`."""
        if not texts:
            return np.empty((0, 0), np.float32), 0
        body = orjson.dumps({"model": self.model, "input": list(texts), "encoding_format": "float"})
        return await self.post(body, lambda content, headers: vectors(content, len(texts), headers))


def vectors(body: bytes, texts: int, headers: Mapping[str, str] | None = None) -> tuple[Vectors, int]:
    """The vectors in the body of a 200, sorted by `index`, and the tokens used.

    Vectors may be lists of numbers or base64 of little-endian float32. Raises `Unavailable` unless there is one for
    each of the `texts`, all of one length and finite, or what an error that came instead means.
    """
    try:
        reply = orjson.loads(body)
        if reply.get("error") and not reply.get("data"):
            raise fault_inside(headers or NO_HEADERS, body)
        found = {item["index"]: _vector(item["embedding"]) for item in reply["data"]}
        stacked = np.stack([found[index] for index in range(texts)])
        if len(found) != texts or len(reply["data"]) != texts or not np.isfinite(stacked).all():
            raise ValueError("not one sound vector for each text")
        return stacked, count(reply.get("usage"), "total_tokens")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise no_result(body, headers, "list of embeddings") from error


def _vector(embedding: Any) -> Vectors:
    if isinstance(embedding, str):
        return np.frombuffer(b64decode(embedding, validate=True), dtype="<f4").astype(np.float32, copy=False)
    with np.errstate(over="ignore"):  # what is infinite is refused with the rest
        vector = np.asarray(embedding, dtype=np.float32)
    if vector.ndim != 1 or not vector.size:
        raise ValueError("an embedding is a list of numbers")
    return vector
