"""Provider `anthropic_batch`: Anthropic's Message Batches, at half the price and within a day.

Works like `anthropic`, only that answers take minutes to hours. A run that is stopped or killed finds its batches
again; since these carry no name, by the answers in them.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import anyio
import orjson
from yarl import URL

from personastream.errors import NotFound, Unauthorized, Unavailable, Unreachable
from personastream.providers.access import api_url
from personastream.providers.anthropic import Anthropic, message
from personastream.providers.batch_chunk import Chunk
from personastream.providers.batch_downloads import Download
from personastream.providers.batch_service import Batched, id_of, objects
from personastream.providers.batch_store import custom_id_of
from personastream.providers.batching import Batching
from personastream.providers.chat_replies import NO_HEADERS
from personastream.providers.faults import count, fault_inside, text
from personastream.records import Completion, Request

ENDED = "ended"
NOT_RUN = frozenset({"expired", "canceled"})
PAGE, PAGES_MAX = 100, 1000
CLOCKS_DIFFER_S_MAX = 3600.0
PATIENCE_POLLS = 10
"""While a batch is under way that may be ours, we look again after so many times `poll_s`."""


@dataclass
class AnthropicBatch(Batched, Anthropic):
    """`POST <base_url>/messages/batches`."""

    _batches: URL = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._batches = api_url(self.base_url, "/messages/batches")
        self._batching = Batching(self, Path(self.batch_dir or "batches"))

    async def complete(self, request: Request) -> Completion:
        """One attempt, which ends with its batch. Raises `AttemptError`."""
        return await self._batching.complete(self.body(request))

    def line(self, custom_id: str, body: bytes) -> bytes:
        """A request as it is put into a batch."""
        asked = {"custom_id": custom_id, "params": orjson.Fragment(body)}
        return orjson.dumps(asked, option=orjson.OPT_APPEND_NEWLINE)

    def outcome(self, line: bytes) -> Completion:
        """What a line of the answers says. Raises `AttemptError`."""
        try:
            return outcome(line)
        except (Unauthorized, NotFound) as error:
            raise self._placed(error, self._url) from error.__cause__

    async def find(self, chunk: Chunk) -> str:
        """Look into the batches made since the chunk was; wait for those that may be it. Raises `AttemptError`."""
        while True:
            waits = False
            async for batch in self._since(chunk.created_s - CLOCKS_DIFFER_S_MAX):
                if _requests(batch) != len(chunk.ids):
                    continue
                if batch.get("processing_status") != ENDED:
                    waits = True
                elif await self._holds(id_of(batch), chunk):
                    return id_of(batch)
            if not waits:
                return ""
            await anyio.sleep(PATIENCE_POLLS * self.poll_s)

    async def submit(self, chunk: Chunk, requests: bytes) -> str:
        """Make a batch. Raises `AttemptError`."""
        data = b'{"requests":[' + b",".join(requests.splitlines()) + b"]}"
        chunk.in_doubt = True
        head = {"Idempotency-Key": chunk.name}
        return id_of(await self.document("POST", self._batches, data=data, headers=head))

    async def fetch(self, chunk: Chunk, answers: Path) -> int | None:
        """Look after the batch; if it has ended, download what came of it to `answers`. Raises `AttemptError`."""
        batch = await self.document("GET", self._batches / chunk.batch)
        if batch.get("processing_status") != ENDED:
            return None
        with answers.open("wb") as file:
            download = Download(file, self._secrets, self.answers_bytes_max)
            await self.download(self._batches / chunk.batch / "results", download)
        return count(batch.get("request_counts"), "succeeded")

    async def _since(self, created_s: float) -> AsyncIterator[dict[str, Any]]:
        """The batches made since then, the newest first."""
        after: dict[str, str] = {}
        for _ in range(PAGES_MAX):
            page = await self.document("GET", self._batches, params={"limit": f"{PAGE}", **after})
            batches = objects(page)
            for batch in batches:
                made_s = _seconds(batch.get("created_at"))
                if made_s is not None and made_s < created_s:
                    return
                yield batch
            if not batches or not page.get("has_more"):
                return
            after = {"after_id": id_of(batches[-1])}
        raise Unavailable("the list of batches does not end")

    async def _holds(self, batch_id: str, chunk: Chunk) -> bool:
        """Whether the answers of a batch are those to this chunk."""
        ids = frozenset(chunk.ids)
        with TemporaryFile() as file:
            download = Download(file, self._secrets, self.answers_bytes_max)
            await self.download(self._batches / batch_id / "results", download)
            file.seek(0)
            lines = iter(partial(file.readline, self.reply_bytes_max), b"")
            return any(custom_id_of(line) in ids for line in lines)


def outcome(line: bytes) -> Completion:
    """The completion in one line of the answers. Raises `AttemptError`."""
    try:
        result = orjson.loads(line)["result"]
        kind = text(result["type"])
        body = orjson.dumps(result["message"] if kind == "succeeded" else result.get("error"))
    except (ValueError, TypeError, KeyError, AttributeError) as broken:
        raise Unavailable("a line of a batch's answers makes no sense", billed=True) from broken
    if kind == "succeeded":
        return message(body)
    if kind in NOT_RUN:
        raise Unreachable("its batch ended before this request was run")
    raise fault_inside(NO_HEADERS, body)


def _requests(batch: dict[str, Any]) -> int:
    counts = batch.get("request_counts")
    return sum(count(counts, name) for name in counts) if isinstance(counts, dict) else 0


def _seconds(moment: object) -> float | None:
    """Since 1970, of a time as RFC 3339 has it."""
    try:
        return datetime.fromisoformat(text(moment)).timestamp()
    except (ValueError, OverflowError):
        return None
