"""Embeddings: vectors of length one in which texts that share words are near. Pure.

Each word of a text, and each pair of neighbours, adds to one dimension, which its hash chooses together with the sign
(feature hashing, Weinberger et al., ICML 2009).
"""

import base64
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from personastream.simulator.chat import json_object, model_of
from personastream.simulator.dialect import InvalidRequest
from personastream.simulator.replies import token_count

DIMENSIONS = 256
DIMENSIONS_MAX = 3072
TEXTS_MAX = 2048


def embeddings_of(body: bytes) -> dict[str, Any]:
    """The answer to a request body. Raises `InvalidRequest`."""
    asked = json_object(body)
    model, texts = model_of(asked), _texts(asked.get("input"))
    dimensions = asked.get("dimensions") or DIMENSIONS
    if isinstance(dimensions, bool) or not isinstance(dimensions, int) or not 1 <= dimensions <= DIMENSIONS_MAX:
        raise InvalidRequest(f"'dimensions' must be an integer from 1 to {DIMENSIONS_MAX}.", "dimensions")
    encoding = asked.get("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise InvalidRequest("'encoding_format' must be float or base64.", "encoding_format")
    data = [
        {"object": "embedding", "index": index, "embedding": _encoded(embed(text, dimensions), encoding)}
        for index, text in enumerate(texts)
    ]
    tokens = sum(map(token_count, texts))
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage}


def embed(text: str, dimensions: int = DIMENSIONS) -> NDArray[np.float32]:
    """The vector of a text: float32, `dimensions` long, of length one."""
    words = text.casefold().split() or [""]
    features = [*words, *(f"{first} {second}" for first, second in pairwise(words))]
    vector = np.zeros(dimensions, dtype=np.float64)
    for feature in features:
        number = xxh3_64_intdigest(feature.encode())
        vector[(number >> 1) % dimensions] += 1.0 if number & 1 else -1.0
    length = float(np.linalg.norm(vector))
    if length == 0.0:  # features that cancel out
        vector[0] = length = 1.0
    return (vector / length).astype(np.float32)


def _encoded(vector: NDArray[np.float32], encoding: str) -> list[float] | str:
    if encoding == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return [float(value) for value in vector]


def _texts(asked: Any) -> list[str]:
    texts = [asked] if isinstance(asked, str) else asked
    if not isinstance(texts, list) or not 1 <= len(texts) <= TEXTS_MAX or not all(isinstance(t, str) for t in texts):
        raise InvalidRequest(f"'input' must be a text or a list of 1 to {TEXTS_MAX} texts.", "input")
    if not all(texts):
        raise InvalidRequest("'input' holds an empty text.", "input")
    return texts
