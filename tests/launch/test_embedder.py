"""Vectors over real HTTP: in order, many at once; texts that are refused, services that are down."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import orjson
import pytest

from personastream.core.retry import RetryPolicy
from personastream.engine.pool import Abandoned
from personastream.errors import ProviderDown, RunError
from personastream.launch.embedder import bound
from personastream.ports import Embedder
from personastream.records import Batch, Shard
from personastream.simulator.embeddings import embed
from personastream.transforms.semantic_dedup import SemanticDedup
from tests.support.held_server import Answer, Asked, held_server
from tests.support.simulated import simulated

POLICY = RetryPolicy(backoff_s=0.01, backoff_s_max=0.05, outage_s_max=0.5)
SHARD = Shard(0, "a", "a.jsonl", 1, "f")
TEXTS = [f"A keeper of {number} bees near the river {number % 7}" for number in range(300)]


class Wants:
    """A transform that only keeps its embedder."""

    def __init__(self, base_url: str, **settings: Any) -> None:
        self.service = {"base_url": base_url, "model": "m", "texts_per_request": 16, **settings}
        self.embedder: Embedder | None = None

    def bind(self, embedder: Embedder) -> None:
        self.embedder = embedder

    def __call__(self, batch: Batch) -> Batch:
        return batch


def vectors(base_url: str, texts: list[str], **settings: Any) -> Any:
    wants = Wants(base_url, **settings)
    with bound([wants], POLICY):
        assert wants.embedder is not None
        return wants.embedder(texts)


@pytest.mark.slow
def test_vectors_come_in_the_order_of_the_texts() -> None:
    with simulated() as server:
        found = vectors(server.base_url, TEXTS)
    np.testing.assert_allclose(np.stack(found), np.stack([embed(text) for text in TEXTS]), atol=1e-6)


def test_faults_are_retried() -> None:
    with simulated("--fault", "500=0.2", "--fault", "429-bare=0.2", "--fault-on", "POST /v1/embeddings") as server:
        assert len(vectors(server.base_url, TEXTS)) == len(TEXTS)


def test_a_text_that_is_refused_has_no_vector_and_harms_no_other() -> None:
    def answer(asked: Asked) -> Answer:
        texts = orjson.loads(asked.body)["input"]
        if "poison" in texts:
            return Answer(400, b'{"error": {"message": "this is too long", "code": "context_length_exceeded"}}')
        data = [{"index": place, "embedding": [float(len(text)), 1.0]} for place, text in enumerate(texts)]
        return Answer(200, orjson.dumps({"data": data, "usage": {"total_tokens": 1}}))

    with held_server(answer, held=False) as server:
        found = vectors(server.base_url, [*TEXTS[:20], "poison", *TEXTS[20:40]])
    assert [place for place, vector in enumerate(found) if vector is None] == [20]
    assert [vector[0] for vector in found if vector is not None] == [len(text) for text in TEXTS[:40]]


def test_a_service_that_is_down_stops_the_run() -> None:
    with held_server(lambda asked: Answer(500, b"no"), held=False) as server, pytest.raises(ProviderDown):
        vectors(server.base_url, TEXTS[:3])


@pytest.mark.parametrize("status", [500, 200])
def test_nobody_waits_for_vectors_who_is_told_not_to(status: int) -> None:
    """Neither for the next attempt nor for an answer that does not come."""
    patient = RetryPolicy(backoff_s=60.0, backoff_s_max=60.0)
    with held_server(lambda asked: Answer(status, b"no"), held=status == 200) as server:
        wants = Wants(server.base_url)
        with bound([wants], patient) as abandon, ThreadPoolExecutor(1) as thread:
            assert wants.embedder is not None
            asking = thread.submit(wants.embedder, TEXTS[:3])
            with pytest.raises(TimeoutError):
                asking.result(timeout=0.5)
            abandon()
            assert isinstance(asking.exception(timeout=5.0), Abandoned)
            with pytest.raises(Abandoned):
                wants.embedder(TEXTS[:3])


def test_a_key_that_is_refused_stops_the_run_at_once() -> None:
    with held_server(lambda asked: Answer(401, b"no"), held=False) as server, pytest.raises(RunError, match="key"):
        vectors(server.base_url, TEXTS)


@pytest.mark.slow
def test_rows_that_mean_the_same_are_dropped_and_the_earliest_stays() -> None:
    texts = [
        "A beekeeper who sells honey at the village market every Saturday in summer",
        "A pilot who flies mail to islands in the north",
        "a beekeeper who sells honey at the village market every Saturday in summer",
        "A beekeeper who sells honey at the village market each Saturday in summer",
    ]
    with simulated() as server:
        for similarity_min, kept in ((0.7, [0, 1]), (0.99, [0, 1, 3])):
            transform = SemanticDedup(server.base_url, "m", similarity_min=similarity_min, texts_per_request=3)
            with bound([transform], POLICY):
                thinned = transform(Batch(SHARD, 0, 4, [0, 1, 2, 3], texts))
            assert list(thinned.numbers) == kept
            assert list(thinned.dropped) == ["semantic_dedup"]
