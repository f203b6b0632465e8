"""Which vectors are new: a neighbour graph (HNSW, Malkov and Yashunin, 2016; by usearch) over bytes.

A vector of length one is kept as a byte a dimension, which moves a cosine by a thousandth or so: what is compared, and
what comes back after a restart, are these bytes. The search is approximate: now and then it misses a neighbour, which
keeps a row too many and never drops one wrongly.
"""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

CONNECTIVITY = 16
EXPANSION = 128
"""Candidates looked at for each vector."""
_DIMENSIONS = struct.Struct("<I")
_SCALE = 127


class SemanticIndex:
    """Remembers vectors; one is new unless a kept one has a cosine of at least `similarity_min` with it.

    Takes a byte a dimension, and the links of the graph; `bench/semantic.py` tells how much, and what is missed. What
    `learnt` gives is the number of dimensions, then the bytes of the vectors.
    """

    def __init__(self, similarity_min: float) -> None:
        self._similarity_min = similarity_min
        self._index: Any = None
        self._fresh: list[bytes] = []

    def __len__(self) -> int:
        """Vectors kept."""
        return 0 if self._index is None else len(self._index)

    def insert(self, vector: Vectors) -> bool:
        """Whether it is new; from then on it is known. Raises `ValueError` for another number of dimensions."""
        given = coarse(vector)
        if self._index is None:
            self._open(len(given))
        elif len(given) != self._index.ndim:
            raise ValueError(f"a vector of {len(given)} dimensions among those of {self._index.ndim}")
        elif len(self._index):
            found = self._index.search(given, 1, threads=1)
            if len(found) and 1.0 - float(found.distances[0]) >= self._similarity_min:
                return False
        self._index.add(len(self._index), given, threads=1)
        self._fresh.append(given.tobytes())
        return True

    def learnt(self) -> bytes:
        """The vectors kept since the last call."""
        if not self._fresh:
            return b""
        fresh, self._fresh = self._fresh, []
        return _DIMENSIONS.pack(len(fresh[0])) + b"".join(fresh)

    def learn(self, records: bytes) -> None:
        """Take in what one `learnt` gave. Raises `ValueError` for anything else."""
        if not records:
            return
        if len(records) < _DIMENSIONS.size:
            raise ValueError("these are no vectors")
        (dimensions,) = _DIMENSIONS.unpack_from(records)
        if not dimensions or (len(records) - _DIMENSIONS.size) % dimensions:
            raise ValueError("these are no whole vectors")
        if self._index is not None and self._index.ndim != dimensions:
            raise ValueError(f"vectors of {dimensions} dimensions among those of {self._index.ndim}")
        if self._index is None:
            self._open(dimensions)
        vectors = np.frombuffer(records, np.int8, offset=_DIMENSIONS.size).reshape(-1, dimensions)
        self._index.add(len(self._index) + np.arange(len(vectors)), vectors, threads=1)

    def _open(self, dimensions: int) -> None:
        from usearch.index import Index  # an extra

        self._index = Index(
            ndim=dimensions, metric="cos", dtype="i8", connectivity=CONNECTIVITY,
            expansion_add=EXPANSION, expansion_search=EXPANSION,
        )  # fmt: skip


def coarse(vector: Vectors) -> NDArray[np.int8]:
    """Bytes that point the same way, nearly."""
    largest = float(np.abs(vector).max(initial=0.0))
    scaled = vector * (_SCALE / largest) if largest else vector
    return np.rint(scaled).astype(np.int8)
