"""Keys of whole texts for exact comparison: xxh3 of the normal form, 64 or 128 bits."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_digest, xxh3_128_digest

from personastream.dedup.backend import are_loaded, kernels
from personastream.dedup.text import STEP_ROWS, as_bytes, normal_rows, normalise, pack_texts, table_for


def hash_texts(texts: Sequence[str], *, few: bool = False) -> NDArray[np.uint64]:
    """xxh3-64 of the UTF-8 of each text's normal form, uint64[n]. Of `few`, no loops are loaded for it."""
    if few and not are_loaded():
        return np.frombuffer(b"".join(map(xxh3_64_digest, map(_normal, texts))), ">u8").astype(np.uint64)
    steps = [_hash_step(texts[start : start + STEP_ROWS]) for start in range(0, len(texts), STEP_ROWS)]
    return np.concatenate(steps) if steps else np.empty(0, np.uint64)


def hash_texts_128(texts: Sequence[str], *, few: bool = False) -> NDArray[np.uint64]:
    """xxh3-128 likewise, uint64[n, 2]: the high half first."""
    rows = map(_normal, texts) if few and not are_loaded() else normal_rows(texts).rows()
    digests = b"".join(map(xxh3_128_digest, rows))
    return np.frombuffer(digests, ">u8").astype(np.uint64).reshape(-1, 2)


def _normal(text: str) -> bytes:
    return as_bytes(normalise(text))


def _hash_step(texts: Sequence[str]) -> NDArray[np.uint64]:
    packed = pack_texts(texts)
    keys, left = kernels().hash_texts(packed.data, packed.begins, packed.ends, table_for(packed, "normal"))
    places = left.nonzero()[0]
    rows = normal_rows([texts[place] for place in places.tolist()]).rows()
    keys[places] = np.frombuffer(b"".join(map(xxh3_64_digest, rows)), ">u8")
    return keys
