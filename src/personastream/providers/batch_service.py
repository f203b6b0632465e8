"""What services that take batches have in common: their settings, and how they are spoken to."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
from yarl import URL

from personastream.errors import Unavailable
from personastream.providers.batch_downloads import Download
from personastream.providers.batching import Batching
from personastream.providers.faults import text
from personastream.providers.http import HttpService
from personastream.records import Prices
from personastream.settings import setting


@dataclass
class Batched(HttpService):
    """A service that answers in its own time, at a lower price."""

    in_flight_max: int = setting(
        "Rows that may wait for their batches at once.", default=10_000, minimum=1, maximum=10_000, identity=False
    )
    pacing: str = field(init=False, default="fixed")
    timeout_s: float = setting(
        "Time for one call as a whole, such as an upload, in seconds.",
        default=600.0,
        minimum=0.1,
        maximum=3600.0,
        identity=False,
    )
    batch_dir: str | None = setting(
        "Folder for batches under way and their answers, of one run only; unset: in the run directory.",
        default=None,
        identity=False,
        path=True,
    )
    batch_requests: int = setting("Requests in a batch.", default=5_000, minimum=1, maximum=50_000, identity=False)
    batch_bytes_max: int = setting(
        "A batch is sent before its requests grow beyond so many bytes.",
        default=100_000_000,
        minimum=1_000,
        maximum=200_000_000,
        identity=False,
    )
    answers_bytes_max: int = setting(
        "Answers of a batch that take more bytes are refused.",
        default=4 << 30,
        minimum=1 << 20,
        maximum=1 << 40,
        identity=False,
    )
    collect_s: float = setting(
        "A batch that is not full is sent when no row has come for so long, in seconds.",
        default=5.0,
        minimum=0.0,
        maximum=3600.0,
        identity=False,
    )
    poll_s: float = setting(
        "How often to ask after a batch, in seconds; less often when it takes long.",
        default=30.0,
        minimum=0.01,
        maximum=3600.0,
        identity=False,
    )
    price_factor: float = setting(
        "What a request costs in a batch, as a share of the prices.", default=0.5, minimum=0, maximum=10, identity=False
    )
    rows_kept: int = setting(
        "Answers kept on the disk for a killed run to ask for again; older ones are deleted.",
        default=50_000,
        minimum=20_000,
        maximum=10_000_000,
        identity=False,
    )
    _batching: Batching = field(init=False, repr=False)

    @property
    def prices(self) -> Prices:
        """What a million tokens cost in a batch."""
        return Prices(*(price * self.price_factor for price in super().prices))

    @property
    def service(self) -> str:
        """Batches have limits of their own."""
        return f"{super().service} batches"

    async def settled(self) -> None:
        """Every row of the run has its outcome, durably: no answer is asked for again."""
        await self._batching.forget_answers()

    async def document(self, method: str, url: URL, **options: Any) -> dict[str, Any]:
        """The JSON object that comes back. Raises `AttemptError`."""
        return await self._exchange(method, url, self._object, **options)

    async def download(self, url: URL, download: Download) -> None:
        """Fetch a file. Raises `AttemptError`."""

        async def take(response: aiohttp.ClientResponse) -> None:
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise Unavailable("a compressed reply although none was accepted")
            await download.add(_pieces(response))

        await self._exchange("GET", url, take)

    async def _object(self, response: aiohttp.ClientResponse) -> dict[str, Any]:
        found = orjson.loads(self._redact(await self._read(response.headers, response.content)))
        if not isinstance(found, dict):
            raise Unavailable("a reply with status 200 is no JSON object")
        return found


def id_of(document: dict[str, Any]) -> str:
    """The id in a reply, fit to be part of an address. Raises `Unavailable`."""
    found = text(document.get("id"))
    if not found or not found.replace("-", "").replace("_", "").isalnum() or not found.isascii():
        raise Unavailable("a reply with status 200 has no id")
    return found


def objects(page: dict[str, Any]) -> list[dict[str, Any]]:
    """What a page of a list holds."""
    data = page.get("data")
    return [each for each in data if isinstance(each, dict)] if isinstance(data, list) else []


async def _pieces(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    while piece := await response.content.readany():
        yield piece
