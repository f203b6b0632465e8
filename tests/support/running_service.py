"""A service in this process, with its API on loopback, as a test sees it."""

import io
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import orjson

from personastream.serve.api.app import application
from personastream.serve.client import Client
from personastream.serve.happenings import Happening, Happenings, Kind
from personastream.serve.listening import listening
from personastream.serve.root import Root
from personastream.serve.service import Service
from personastream.serve.settings import NAME, load_settings
from personastream.serve.view import JobState
from tests.support.gated import Gate, gates

DEADLINE_S = 60.0
SETTINGS = """
[serve]
own_modules = true
disk_bytes_min = 0
retry_s = 0.05
retry_s_max = 0.2
[api]
listen = "127.0.0.1:0"
"""
ROWS = 12


@dataclass(slots=True)
class Running:
    """The service, who speaks to it, and what has happened."""

    service: Service
    address: str
    token: str
    gate: Gate
    http: aiohttp.ClientSession
    client: Client
    told: list[Happening] = field(default_factory=list)

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        """As `ctl` does. Raises `RunError`."""
        return await self.client.ask_in(self.http, method, path, body)

    async def status(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """(status, document) of a request of any kind."""
        sent = None if body is None else io.BytesIO(body)
        async with self.http.request(method, self.address + path, data=sent, headers=headers) as reply:
            content = await reply.read()
            assert b"Traceback" not in content
            return reply.status, orjson.loads(content) if reply.content_type == "application/json" else content

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait for it, with a deadline that only a hung service meets."""
        with anyio.fail_after(DEADLINE_S):
            while not done():  # noqa: ASYNC110 - what is waited for tells nobody
                await anyio.sleep(0.01)

    async def until_state(self, name: str, *states: JobState) -> None:
        """Wait until a job is in one of these."""
        await self.until(lambda: self.service.jobs.named(name).state in states)

    def kinds(self, job: str) -> list[Kind]:
        """What has happened to a job."""
        return [each.kind for each in self.told if each.job == job]


@asynccontextmanager
async def running(folder: Path, settings: str = SETTINGS) -> AsyncIterator[Running]:
    """A service for as long as the block lasts; it ends in order."""
    root = Root(folder)
    root.make()
    (root / NAME).write_text(settings)
    gates.append(Gate())
    happenings = Happenings()
    told: list[Happening] = []
    happenings.listen(told.append)
    with root.held():
        found, token = load_settings(root / NAME), root.token()
        service = Service(root, found, happenings)
        async with (
            listening(lambda hosts: application(service, token, hosts), found.api, root.path) as address,
            Client(address, token).session() as http,
            anyio.create_task_group() as around,
        ):
            client = Client(address, token)
            around.start_soon(service.run)
            seen = Running(service, address, token, gates[-1], http, client, told)
            await seen.until(lambda: any(each.kind is Kind.READY for each in told))
            try:
                yield seen
            finally:
                service.abort()
                bugs = [each.details["traceback"] for each in told if each.kind is Kind.BUG and not each.job]
                assert not bugs, bugs[0]
    gates.pop()


def write_shard(folder: Path, rows: int = ROWS) -> None:
    """Personas for jobs."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [orjson.dumps({"persona": f"a keeper of {number} lighthouses"}) + b"\n" for number in range(rows)]
    (folder / "personas.jsonl").write_bytes(b"".join(lines))


def job_text(folder: Path, **changes: Any) -> str:
    """A job that asks the gate; `changes` are further sections."""
    more = "\n".join(f"[{name}]\n{text}" for name, text in changes.items())
    return f"""
[source]
paths = ["{folder}/personas.jsonl"]
[recipe]
template = "math"
[provider]
type = "tests.support.gated:Gated"
in_flight_max = 4
{more}
"""
