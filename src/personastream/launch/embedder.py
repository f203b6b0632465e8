"""Vectors for transforms that need them, from an embeddings service: asked, paced and retried as a model is."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import anyio
import numpy as np
import orjson
from anyio.from_thread import BlockingPortal, start_blocking_portal
from numpy.typing import NDArray

from personastream.core.retry import RetryPolicy
from personastream.engine.ask import Asker
from personastream.engine.exchange import Exchange
from personastream.engine.pool import Abandoned, Pool
from personastream.engine.run import first_failure
from personastream.engine.statistics import Statistics
from personastream.engine.stop import Stop
from personastream.errors import RowError, RunError
from personastream.launch.endpoints import endpoints
from personastream.ports import Ask, Embedding, Transform
from personastream.providers.embeddings import EmbeddingsClient
from personastream.records import Request

Vector = NDArray[np.float32]


@contextmanager
def bound(transforms: Sequence[Transform], policy: RetryPolicy) -> Iterator[Callable[[], None]]:
    """Give every transform that needs vectors somebody to make them. Raises `ConfigError`.

    Yields what ends all waiting for vectors, from any thread.
    """
    embedders: list[ServedEmbedder] = []

    def abandon() -> None:
        for embedder in embedders:
            embedder.abandon()

    with ExitStack() as stack:
        for transform in transforms:
            if isinstance(transform, Embedding):
                settings = dict(transform.service)
                texts_per_request = int(settings.pop("texts_per_request"))
                client = EmbeddingsClient(**settings)
                embedders.append(stack.enter_context(served(client, texts_per_request, policy)))
                transform.bind(embedders[-1])
        yield abandon


@contextmanager
def served(client: EmbeddingsClient, texts_per_request: int, policy: RetryPolicy) -> Iterator["ServedEmbedder"]:
    """While this is entered, the client's service makes vectors. Raises `ConfigError`."""
    with start_blocking_portal("asyncio", {"use_uvloop": True}) as portal:
        embedder = ServedEmbedder(portal, client, texts_per_request, policy)
        pool = portal.start_task_soon(embedder.run)
        try:
            yield embedder
        finally:
            pool.cancel()
            portal.call(client.aclose)


class ServedEmbedder:
    """Asks from an event loop in a thread of its own, so that the thread that reads rows may block."""

    def __init__(
        self, portal: BlockingPortal, client: EmbeddingsClient, texts_per_request: int, policy: RetryPolicy
    ) -> None:
        self._portal = portal
        self._texts_per_request = texts_per_request
        self._ask, self._pool, self._stop = portal.call(_asker, client, policy)

    def __call__(self, texts: Sequence[str]) -> list[Vector | None]:
        """One vector a text; None for one that the service refuses. Raises `RunError`, or `Abandoned`."""
        found = self._portal.call(self._embed_all, texts)
        if found is None:
            raise Abandoned
        return found

    def abandon(self) -> None:
        """Let whoever waits for vectors wait no longer, nor anybody who asks later. Returns at once; any thread may."""
        self._portal.start_task_soon(self._stop.drain)

    async def run(self) -> None:
        """Give out the turns that come with time, until cancelled."""
        await self._pool.run()

    async def _embed_all(self, texts: Sequence[str]) -> list[Vector | None] | None:
        """All vectors, or None if they are not waited for any more."""
        starts = range(0, len(texts), self._texts_per_request)
        found: list[list[Vector | None]] = [[] for _ in starts]

        async def embed(place: int, part: Sequence[str]) -> None:
            found[place] = await self._embed(part)

        failure: RunError | None = None
        with self._stop.not_past_drain() as waiting:
            try:
                async with anyio.create_task_group() as asking:
                    for place, start in enumerate(starts):
                        asking.start_soon(embed, place, texts[start : start + self._texts_per_request])
            except* RunError as group:
                failure = first_failure(group)
        if failure is not None:
            raise failure
        if waiting.cancelled_caught:
            return None
        return [vector for part in found for vector in part]

    async def _embed(self, texts: Sequence[str]) -> list[Vector | None]:
        """The vectors of one request's texts. What is refused together is asked for in halves, to find out whose."""
        try:
            completion = await self._ask(_request(texts))
        except RowError:
            if len(texts) == 1:
                return [None]
            middle = len(texts) // 2
            return [*await self._embed(texts[:middle]), *await self._embed(texts[middle:])]
        return list(np.frombuffer(completion.body, np.float32).reshape(len(texts), -1))


def _request(texts: Sequence[str]) -> Request:
    return Request("", orjson.dumps(list(texts)).decode(), {"max_tokens": 0})


async def _asker(client: EmbeddingsClient, policy: RetryPolicy) -> tuple[Ask, Pool, Stop]:
    stop, statistics = Stop(), Statistics()
    share = Exchange(anyio.current_time).join("")
    pool = Pool(endpoints([client], policy), stop, share)
    return Asker(pool, policy, statistics, stop, probe=_request(["yes"])), pool, stop
