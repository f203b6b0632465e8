"""Provider `openai_batch`: OpenAI's Batch API, at half the price and within a day (also of compatible services).

Works like `openai`, only that answers take minutes to hours. A run that is stopped or killed finds its batches again.
"""

import io
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import orjson
from yarl import URL

from personastream.errors import NotFound, Unauthorized, Unavailable
from personastream.providers.access import api_url
from personastream.providers.batch_chunk import Chunk
from personastream.providers.batch_downloads import Download
from personastream.providers.batch_lines import flaws, outcome
from personastream.providers.batch_service import Batched, id_of, objects
from personastream.providers.batching import Batching
from personastream.providers.faults import count, text
from personastream.providers.openai import Openai, check_whole
from personastream.records import Completion, Request
from personastream.settings import setting

LABEL = "personastream_chunk"
"""By this in its metadata a batch is known again."""
ENDS = frozenset({"completed", "expired", "cancelled"})
PAGE, PAGES_MAX = 100, 1000
CLOCKS_DIFFER_S_MAX = 86_400.0


@dataclass
class OpenaiBatch(Batched, Openai):
    """`POST <base_url>/files` and `/batches`."""

    batch_endpoint: str = setting(
        "The path that the service knows chat completions by.", default="/v1/chat/completions", identity=False
    )
    _files: URL = field(init=False, repr=False)
    _batches: URL = field(init=False, repr=False)

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
        for _ in range(PAGES_MAX):
            page = await self.document("GET", self._batches, params={"limit": f"{PAGE}", **after})
            batches = objects(page)
            for batch in batches:
                metadata = batch.get("metadata")
                if isinstance(metadata, dict) and metadata.get(LABEL) == chunk.name:
                    return id_of(batch)
            if not batches or not page.get("has_more"):
                return ""
            if 0 < count(batches[-1], "created_at") < chunk.created_s - CLOCKS_DIFFER_S_MAX:
                return ""
            after = {"after": id_of(batches[-1])}
        raise Unavailable("the list of batches does not end")

    async def submit(self, chunk: Chunk, requests: bytes) -> str:
        """Upload the requests, unless that is done, and make a batch of them. Raises `AttemptError`."""
        if not chunk.upload:
            form = aiohttp.MultipartWriter("form-data")
            form.append("batch").set_content_disposition("form-data", name="purpose")
            part = form.append(io.BytesIO(requests), {"Content-Type": "application/jsonl"})
            part.set_content_disposition("form-data", name="file", filename=f"{chunk.name}.jsonl")
            head = {"Content-Type": form.content_type}
            chunk.upload = id_of(await self.document("POST", self._files, data=form, headers=head))
        asked = {
            "input_file_id": chunk.upload,
            "endpoint": self.batch_endpoint,
            "completion_window": "24h",
            "metadata": {LABEL: chunk.name},
        }
        chunk.in_doubt = True
        head = {"Idempotency-Key": chunk.name}
        return id_of(await self.document("POST", self._batches, data=orjson.dumps(asked), headers=head))

    async def fetch(self, chunk: Chunk, answers: Path) -> int | None:
        """Look after the batch; if it has ended, download what came of it to `answers`. Raises `AttemptError`."""
        batch = await self.document("GET", self._batches / chunk.batch)
        status = batch.get("status")
        if status == "failed":
            chunk.flaws, chunk.otherwise = flaws(batch.get("errors"), chunk.ids)
            chunk.answers = {}
            return 0
        if status not in ENDS:
            return None
        with answers.open("wb") as file:
            download = Download(file, self._secrets, self.answers_bytes_max)
            for name in ("output_file_id", "error_file_id"):
                if file_id := text(batch.get(name)):
                    await self.download(self._files / file_id / "content", download)
        return count(batch.get("request_counts"), "completed")
