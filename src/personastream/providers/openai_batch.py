"""Provider `openai_batch`: OpenAI's Batch API, at half the price and within a day (also of compatible services).

Works like `openai`, only that answers take minutes to hours. A run that is stopped or killed finds its batches again.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from yarl import URL

from personastream.errors import NotFound, Unauthorized, Unavailable
from personastream.providers.access import api_url
from personastream.providers.batch_chunk import Chunk
from personastream.providers.batch_downloads import Download
from personastream.providers.batch_lines import flaws, outcome
from personastream.providers.batch_settings import BatchSettings
from personastream.providers.batching import Batching
from personastream.providers.faults import count, text
from personastream.providers.openai import Openai, check_whole
from personastream.records import Completion, Request
from personastream.settings import setting

LABEL = "personastream_chunk"
"""By this in its metadata a batch is known again."""
ENDS = frozenset({"completed", "expired", "cancelled"})
PAGE = 100
CLOCKS_DIFFER_S_MAX = 86_400.0
SHORT_MAX = 3
"""Answers with fewer lines than the service counts were cut on the way; or else it cannot count."""


@dataclass
class OpenaiBatch(BatchSettings, Openai):
    """`POST <base_url>/files` and `/batches`."""

    batch_endpoint: str = setting(
        "The path that the service knows chat completions by.", default="/v1/chat/completions", identity=False
    )
    _files: URL = field(init=False, repr=False)
    _batches: URL = field(init=False, repr=False)
    _batching: Batching = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._files, self._batches = api_url(self.base_url, "/files"), api_url(self.base_url, "/batches")
        self._batching = Batching(self, Path(self.batch_dir or "batches"))

    async def complete(self, request: Request) -> Completion:
        """One attempt, which ends with its batch. Raises `AttemptError`."""
        answer = await self._batching.complete(self.body(request))
        check_whole(request, answer)
        return answer

    def line(self, custom_id: str, body: bytes) -> bytes:
        """A request as it is put into the file of a batch."""
        asked = {"custom_id": custom_id, "method": "POST", "url": self.batch_endpoint, "body": orjson.Fragment(body)}
        return orjson.dumps(asked, option=orjson.OPT_APPEND_NEWLINE)

    def outcome(self, line: bytes) -> Completion:
        """What a line of the answers says. Raises `AttemptError`."""
        try:
            return outcome(line)
        except (Unauthorized, NotFound) as error:
            raise self._placed(error, self._url) from error.__cause__

    async def find(self, chunk: Chunk) -> str:
        """Look through the batches made since the chunk was. Raises `AttemptError`."""
        after: dict[str, str] = {}
        while True:
            page = await self._exchange("GET", self._batches, self._document, params={"limit": f"{PAGE}", **after})
            batches = [each for each in _list(page.get("data")) if isinstance(each, dict)]
            for batch in batches:
                metadata = batch.get("metadata")
                if isinstance(metadata, dict) and metadata.get(LABEL) == chunk.name:
                    return _id(batch)
            if not batches or not page.get("has_more"):
                return ""
            if count(batches[-1], "created_at") < chunk.created_s - CLOCKS_DIFFER_S_MAX:
                return ""
            after = {"after": _id(batches[-1])}

    async def submit(self, chunk: Chunk, requests: bytes) -> str:
        """Upload the requests, unless that is done, and make a batch of them. Raises `AttemptError`."""
        if not chunk.upload:
            form = aiohttp.MultipartWriter("form-data")
            form.append("batch").set_content_disposition("form-data", name="purpose")
            part = form.append(requests, {"Content-Type": "application/jsonl"})
            part.set_content_disposition("form-data", name="file", filename=f"{chunk.name}.jsonl")
            head = {"Content-Type": form.content_type}
            chunk.upload = _id(await self._exchange("POST", self._files, self._document, data=form, headers=head))
        asked = {
            "input_file_id": chunk.upload,
            "endpoint": self.batch_endpoint,
            "completion_window": "24h",
            "metadata": {LABEL: chunk.name},
        }
        chunk.in_doubt = True
        head = {"Idempotency-Key": chunk.name}
        made = self._exchange("POST", self._batches, self._document, data=orjson.dumps(asked), headers=head)
        return _id(await made)

    async def fetch(self, chunk: Chunk, answers: Path) -> bool:
        """Look after the batch; if it has ended, download what came of it to `answers`. Raises `AttemptError`."""
        batch = await self._exchange("GET", self._batches / chunk.batch, self._document)
        status = batch.get("status")
        if status == "failed":
            chunk.flaws, chunk.otherwise = flaws(batch.get("errors"), chunk.ids)
            chunk.answers = {}
            return True
        if status not in ENDS:
            return False
        counts = batch.get("request_counts")
        with answers.open("wb") as file:
            download = Download(file, self._secrets, self.answers_bytes_max)
            for name in ("output_file_id", "error_file_id"):
                if file_id := text(batch.get(name)):
                    await self._download(file_id, download)
            if download.lines < count(counts, "completed") and chunk.cut_short < SHORT_MAX:
                chunk.cut_short += 1
                raise Unavailable(f"only {download.lines} answers came of {count(counts, 'completed')}")
        return True

    async def _download(self, file_id: str, download: Download) -> None:
        async def take(response: aiohttp.ClientResponse) -> None:
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise Unavailable("a compressed reply although none was accepted")
            await download.add(_pieces(response))

        await self._exchange("GET", self._files / file_id / "content", take)

    async def _document(self, response: aiohttp.ClientResponse) -> dict[str, Any]:
        """A JSON object. Raises `Unavailable` for anything else."""
        document = orjson.loads(self._redact(await self._read(response)))
        if not isinstance(document, dict):
            raise Unavailable("a reply with status 200 is no JSON object")
        return document


async def _pieces(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    while piece := await response.content.readany():
        yield piece


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _id(document: dict[str, Any]) -> str:
    """The id in a reply, fit to be part of an address. Raises `Unavailable`."""
    found = text(document.get("id"))
    if not found or not found.replace("-", "").replace("_", "").isalnum() or not found.isascii():
        raise Unavailable("a reply with status 200 has no id")
    return found
