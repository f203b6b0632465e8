"""Drops rows that mean what an earlier one means: neighbours among the vectors of an embeddings service."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from personastream.dedup.semantic_index import SemanticIndex
from personastream.errors import ConfigError
from personastream.ports import Embedder
from personastream.records import Batch
from personastream.settings import setting


@dataclass
class SemanticDedup:
    """Deduplication by meaning (the second pass of the Persona Hub paper); the earliest row of a group survives.

    Every row that comes here is sent to `base_url`, many in one request, and waits for its vector: put the exact and
    the near transforms before this one. A text that the service refuses is kept. Takes a byte a dimension
    and a kilobyte for links, and a millisecond or two of one core a row, besides what the service takes.
    """

    base_url: str = setting("Address of an OpenAI-compatible API with /embeddings.", identity=False)
    model: str = setting("Embedding model, as the server knows it.")
    similarity_min: float = setting("Cosine from which two rows mean the same.", default=0.9, minimum=0.0, maximum=1.0)
    api_key_env: str = setting(
        "Name of the environment variable that holds the key.", default="OPENAI_API_KEY", identity=False
    )
    api_key_file: str = setting(
        "File that holds the key, instead of the environment.", default="", identity=False, path=True
    )
    texts_per_request: int = setting("Rows sent in one request.", default=64, minimum=1, maximum=2048, identity=False)
    in_flight_max: int = setting("Requests under way at once.", default=16, minimum=1, maximum=1000, identity=False)
    requests_per_minute: float = setting(
        "Ceiling on requests; 0 for none.", default=0, minimum=0, maximum=1e9, identity=False
    )
    tokens_per_minute: float = setting(
        "Ceiling on tokens; 0 for none.", default=0, minimum=0, maximum=1e12, identity=False
    )
    timeout_s: float = setting(
        "Time for one attempt as a whole, in seconds.", default=120.0, minimum=0.1, maximum=3600.0, identity=False
    )
    _index: SemanticIndex = field(init=False, repr=False)
    _embedder: Embedder | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        if find_spec("usearch") is None:
            raise ConfigError("semantic_dedup needs usearch", hint="pip install 'personastream[semantic]'")
        self._index = SemanticIndex(self.similarity_min)

    @property
    def service(self) -> Mapping[str, Any]:
        """The settings of the endpoint, by name."""
        own = {"similarity_min", "_index", "_embedder"}
        return {name: value for name, value in vars(self).items() if name not in own}

    def bind(self, embedder: Embedder) -> None:
        """Say who makes the vectors."""
        self._embedder = embedder

    def __call__(self, batch: Batch) -> Batch:
        if not batch.texts:
            return batch
        if self._embedder is None:
            raise RuntimeError("semantic_dedup has nobody to make vectors: bind comes first")
        vectors = self._embedder(batch.texts)
        return batch.keep([vector is None or self._index.insert(vector) for vector in vectors], "semantic_dedup")

    def expect(self, rows: int) -> None:
        """Nothing is made ready for them."""

    def learnt(self) -> bytes:
        return self._index.learnt()

    def learn(self, records: bytes) -> None:
        self._index.learn(records)
