"""Vectors that were asked for once are kept in a file beside the page, so that a second report asks for none again."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_128_digest

from personastream.errors import CannotCreate, ProviderDown
from personastream.launch.embedder import served
from personastream.launch.endpoints import retry_policy
from personastream.limits import Limits
from personastream.ports import Embedder
from personastream.providers.embeddings import EmbeddingsClient

TEXTS_PER_STEP = 512
"""So many texts are asked for, then kept: a report that is stopped loses no more."""
TEXTS_PER_REQUEST = 64
IN_FLIGHT_MAX = 16
OUTAGE_S_MAX = 15.0
"""Somebody sits and waits: less patience than a run has."""

Vector = NDArray[np.float32]


class KeptVectors:
    """An `Embedder` in front of another one, whose answers it keeps. A text that was refused is kept as such."""

    def __init__(self, file: sqlite3.Connection, model: str, embedder: Embedder) -> None:
        self.asked = 0
        self._file = file
        self._model = model.encode("utf-8", "replace")
        self._embedder = embedder

    def __call__(self, texts: Sequence[str]) -> list[Vector | None]:
        """One vector a text, in order; None for a text that has none. Raises `RunError`."""
        keys = [xxh3_128_digest(b"%b\0%b" % (self._model, text.encode("utf-8", "replace"))) for text in texts]
        found = {key: self._look_up(key) for key in keys}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if found[key] is None}
        names = list(missing)
        for start in range(0, len(names), TEXTS_PER_STEP):
            step = names[start : start + TEXTS_PER_STEP]
            vectors = self._ask([missing[key] for key in step])
            told = [b"" if vector is None else vector.astype("<f4").tobytes() for vector in vectors]
            with self._file:
                self._file.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", zip(step, told, strict=True))
            found |= dict(zip(step, told, strict=True))
            self.asked += len(step)
        return [np.frombuffer(content, "<f4") if (content := found[key]) else None for key in keys]

    def _ask(self, texts: Sequence[str]) -> Sequence[Vector | None]:
        try:
            return self._embedder(texts)
        except ProviderDown as error:
            hint = "Look after the embeddings service, then ask for the report again: vectors that came are kept."
            raise ProviderDown(error.message, hint=hint) from error

    def _look_up(self, key: bytes) -> bytes | None:
        row = self._file.execute("SELECT vector FROM vectors WHERE key = ?", (key,)).fetchone()
        return bytes(row[0]) if row else None


@contextmanager
def service(base_url: str, model: str, api_key_env: str) -> Iterator[Embedder]:
    """Who makes vectors at this address. Raises `ConfigError`."""
    client = EmbeddingsClient(base_url, model, api_key_env=api_key_env, in_flight_max=IN_FLIGHT_MAX)
    with served(client, TEXTS_PER_REQUEST, retry_policy(Limits(outage_s_max=OUTAGE_S_MAX))) as embedder:
        yield embedder


@contextmanager
def kept_vectors(path: Path, model: str, embedder: Embedder) -> Iterator[KeptVectors]:
    """The vectors of a model in the file `path`, which is made if it is not there. Raises `CannotCreate`."""
    try:
        with closing(sqlite3.connect(path)) as file:
            file.execute(
                "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID"
            )
            yield KeptVectors(file, model, embedder)
    except sqlite3.Error as error:
        raise CannotCreate(
            f"cannot keep vectors in {path}: {error}",
            hint="Remove that file, or give the page another place with --output.",
        ) from error
