"""A few lines that speak OpenAI's Batch API, and end each batch as a test wants it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer

from personastream.errors import AttemptError
from personastream.ports import Provider
from personastream.providers.openai_batch import OpenaiBatch
from personastream.records import Completion, Request

Ask = Mapping[str, Any]
Outcome = Completion | AttemptError
Lines = tuple[bytes, bytes]
"""What a batch's output file and error file hold."""


def reply(text: str) -> dict[str, Any]:
    """The body of a good answer."""
    message = {"message": {"content": text}, "finish_reason": "stop"}
    return {"choices": [message], "model": "m", "usage": {"prompt_tokens": 9, "completion_tokens": 5}}


def answered(ask: Ask, status: object = 200, body: object = None) -> bytes:
    """A line that answers a request, by default with its own words."""
    content = ask["body"]["messages"][-1]["content"]
    response = {"status_code": status, "request_id": "r", "body": reply(content) if body is None else body}
    return orjson.dumps({"id": "x", "custom_id": ask["custom_id"], "response": response, "error": None}) + b"\n"


def failed(ask: Ask, code: str) -> bytes:
    """A line of a request that was not run."""
    error = {"code": code, "message": "It was not run."}
    return orjson.dumps({"id": "x", "custom_id": ask["custom_id"], "response": None, "error": error}) + b"\n"


def all_answered(asks: Sequence[Ask]) -> Lines:
    return b"".join(map(answered, asks)), b""


class BatchServer:
    """`lines` makes the files of a batch, which ends after `polls` with `status` and whatever `more` there is.

    `calls` counts what was called; `before` may answer a call in its own way, by returning a response.
    """

    def __init__(self, lines: Callable[[Sequence[Ask]], Lines] = all_answered) -> None:
        self.base_url = ""
        self.lines = lines
        self.status, self.polls, self.more = "completed", 0, dict[str, Any]()
        self.latency_s = 0.0
        self.calls: Counter[str] = Counter()
        self.before: Callable[[str, web.Request], web.StreamResponse | None] = lambda call, request: None
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self._under_way, self._ended = 0, anyio.Event()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Any call, to its end even if the client has gone."""
        self._under_way += 1
        try:
            return await self._answer(request)
        finally:
            self._under_way -= 1
            self._ended.set()

    async def rest(self) -> None:
        """Return when no call is under way."""
        while self._under_way:
            self._ended = anyio.Event()
            await self._ended.wait()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        parts = request.path.removeprefix("/v1/").split("/")
        call = f"{request.method} {parts[0]}" + ("/*" if len(parts) > 1 else "")
        self.calls[call] += 1
        own = self.before(call, request)
        if own is not None:
            return own
        if call == "POST files":
            return self._made("file", self._upload(await request.post()))
        if call == "POST batches":
            return self._made("batch", self._create(await request.json()))
        if call == "GET files/*":
            return web.Response(body=self.files[parts[1]])
        if call == "GET batches/*":
            await asyncio.sleep(self.latency_s)
            return self._shown(self.batches[parts[1]])
        return self._page(request)

    def asked(self, number: int = 0) -> list[Ask]:
        """The requests of a batch, the first one first."""
        content = self.files[list(self.batches.values())[number]["input_file_id"]]
        return [orjson.loads(line) for line in content.splitlines()]

    def _made(self, kind: str, made: Mapping[str, Any]) -> web.Response:
        return web.json_response({"object": kind, **made})

    def _upload(self, form: Mapping[str, Any]) -> Mapping[str, Any]:
        assert form["purpose"] == "batch"
        name = f"file-{len(self.files)}"
        self.files[name] = form["file"].file.read()
        return {"id": name}

    def _create(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        name = f"batch_{len(self.batches)}"
        self.batches[name] = {"id": name, "created_at": 1 << 39, "polled": 0, "window": "24h", **asked}
        return self.batches[name]

    def _shown(self, batch: dict[str, Any]) -> web.Response:
        batch["polled"] += 1
        if batch["polled"] <= self.polls:
            return web.json_response({**batch, "status": "in_progress"})
        ids: list[str | None] = []
        if self.status != "failed":
            asks = [orjson.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
            for kind, content in zip(("output", "error"), self.lines(asks), strict=True):
                name = f"file-{kind}-{batch['id']}"
                self.files[name] = content
                ids.append(name if content else None)
        named = dict(zip(("output_file_id", "error_file_id"), ids, strict=False))
        return web.json_response({**batch, "status": self.status, **named, **self.more})

    def _page(self, request: web.Request) -> web.Response:
        newest = list(reversed(self.batches.values()))
        after = request.query.get("after")
        start = [batch["id"] for batch in newest].index(after) + 1 if after else 0
        limit = min(2, int(request.query["limit"]))
        return web.json_response({"data": newest[start : start + limit], "has_more": len(newest) > start + limit})


@asynccontextmanager
async def batch_server(lines: Callable[[Sequence[Ask]], Lines] = all_answered) -> AsyncIterator[BatchServer]:
    """Serve on 127.0.0.1 while the block lasts."""
    server = BatchServer(lines)
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", server.serve)
    async with TestServer(app) as listening:
        server.base_url = str(listening.make_url("/v1"))
        yield server


@asynccontextmanager
async def asking(server: BatchServer, folder: Path, **settings: Any) -> AsyncIterator[OpenaiBatch]:
    """A provider that is quick, and closed in the end; no test waits for long."""
    quick = {"batch_dir": str(folder), "collect_s": 0.05, "poll_s": 0.01, **settings}
    provider = OpenaiBatch(**{"base_url": server.base_url, "model": "m", **quick})
    try:
        with anyio.fail_after(30):
            yield provider
    finally:
        await provider.aclose()


async def outcomes(provider: Provider, texts: Sequence[str]) -> list[Outcome]:
    """What becomes of requests that are made at once, in their order."""
    found: dict[int, Outcome] = {}

    async def ask(place: int, text: str) -> None:
        try:
            found[place] = await provider.complete(Request("", text, {"max_tokens": 99}))
        except AttemptError as error:
            found[place] = error

    async with anyio.create_task_group() as attempts:
        for place, text in enumerate(texts):
            attempts.start_soon(ask, place, text)
    return [found[place] for place in range(len(texts))]


def words(found: Sequence[Outcome]) -> list[str]:
    """Texts, and names of errors."""
    return [each.text if isinstance(each, Completion) else type(each).__name__ for each in found]


def chunks(folder: Path) -> list[str]:
    """The chunks that are kept."""
    return sorted(path.name for path in folder.iterdir())
